import { lookupTable, type DeepReadonly, isValidLabelValue, type ObjectMeta, warningsForIP } from '@skiff/apimachinery';
import type { NodeSelectorTerm, PodAffinity, PodSpec, Volume } from '../../../generated/types/core-v1.ts';
import { deepEqual } from '../../../semantic-equality.ts';
import { deprecatedNodeLabel } from '../deprecated-node-labels.ts';
import { isWholeQuantity } from '../resource-list.ts';
import { appArmorAnnotationPrefix, appArmorFieldForAnnotation } from './app-armor.ts';
import { containersWithPaths } from './containers.ts';
import { containerWarnings, portWarnings } from './container-warnings.ts';
import { overlappingPathWarnings } from './overlapping-paths.ts';

type Spec = DeepReadonly<PodSpec>;
interface PodLike {
  readonly spec?: Spec;
  readonly metadata?: DeepReadonly<ObjectMeta>;
}

/** What is accepted in a Pod or template but most likely not meant. `prefix`: '' for a Pod, else the template's path and a dot. */
export function podWarnings(pod: PodLike, prefix: string): string[] {
  const spec: Spec = pod.spec ?? { containers: [] };
  const annotations = pod.metadata?.annotations ?? {};
  const path = `${prefix}spec`;
  const affinity = spec.affinity;
  return [
    ...Object.keys(spec.nodeSelector ?? {}).flatMap((key) => {
      const message = deprecatedNodeLabel(key);
      return message === undefined ? [] : [`${path}.nodeSelector[${key}]: ${message}`];
    }),
    ...nodeAffinityWarnings(spec, `${path}.affinity.nodeAffinity`),
    ...spreadWarnings(spec, `${path}.topologySpreadConstraints`),
    ...deprecatedAnnotationWarnings(annotations, `${prefix}metadata.annotations`),
    ...(spec.volumes ?? []).flatMap((v, i) => volumeWarnings(v, `${path}.volumes[${i}]`)),
    ...overlappingPathWarnings(spec.volumes ?? []),
    ...duplicateWarnings(spec, path),
    ...['memory', 'ephemeral-storage'].flatMap((name) => fractionWarnings(spec.overhead?.[name], `${path}.overhead[${name}]`)),
    ...profileWarnings(spec, annotations, prefix),
    ...bandwidthAnnotations
      .filter((key) => annotations[key] !== undefined)
      .map((key) => `${prefix}metadata.annotations[${key}]: not supported; bandwidth is not limited`),
    ...containersWithPaths(spec, path).flatMap((c) => [...containerProfileWarnings(c, spec, annotations, prefix), ...containerWarnings(c)]),
    ...portWarnings(containersWithPaths(spec, path)),
    ...((spec.terminationGracePeriodSeconds ?? 0) < 0
      ? [`${path}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1`]
      : []),
    ...podAffinityWarnings(affinity?.podAffinity, `${path}.affinity.podAffinity`),
    ...podAffinityWarnings(affinity?.podAntiAffinity, `${path}.affinity.podAntiAffinity`),
    ...(spec.dnsConfig?.nameservers ?? []).flatMap((ip, i) => warningsForIP(ip, `${path}.dnsConfig.nameservers[${i}]`)),
    ...(spec.hostAliases ?? []).flatMap((a, i) => warningsForIP(a.ip, `${path}.hostAliases[${i}].ip`)),
  ];
}

export const fractionWarnings = (quantity: string | undefined, path: string): string[] =>
  quantity === undefined || isWholeQuantity(quantity)
    ? []
    : [`${path}: fractional byte value ${JSON.stringify(quantity)} is invalid, must be an integer`];

/** `preferred`: values are looked at as well. */
export function nodeSelectorTermWarnings(term: DeepReadonly<NodeSelectorTerm> | undefined, path: string, preferred = false): string[] {
  return (term?.matchExpressions ?? []).flatMap(({ key, values }, i) => {
    const message = deprecatedNodeLabel(key);
    const at = `${path}.matchExpressions[${i}]`;
    const bad = preferred
      ? (values ?? []).flatMap((v, j) => isValidLabelValue(v).map((complaint) => `${at}.values[${j}]: ${v} is invalid, ${complaint}`))
      : [];
    return [...(message === undefined ? [] : [`${at}.key: ${key} is ${message}`]), ...bad];
  });
}

function nodeAffinityWarnings(spec: Spec, path: string): string[] {
  const affinity = spec.affinity?.nodeAffinity;
  const terms = affinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  const required = `${path}.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms`;
  return [
    ...terms.flatMap((term, i) => nodeSelectorTermWarnings(term, `${required}[${i}]`)),
    ...(affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).flatMap((term, i) =>
      nodeSelectorTermWarnings(term.preference, `${path}.preferredDuringSchedulingIgnoredDuringExecution[${i}].preference`, true),
    ),
  ];
}

const nullSelector = 'a null labelSelector results in matching no pod';

function spreadWarnings(spec: Spec, path: string): string[] {
  return (spec.topologySpreadConstraints ?? []).flatMap(({ topologyKey, labelSelector }, i) => {
    const message = deprecatedNodeLabel(topologyKey);
    return [
      ...(message === undefined ? [] : [`${path}[${i}].topologyKey: ${topologyKey} is ${message}`]),
      ...(labelSelector === undefined ? [`${path}[${i}].labelSelector: ${nullSelector}`] : []),
    ];
  });
}

function podAffinityWarnings(affinity: DeepReadonly<PodAffinity> | undefined, path: string): string[] {
  const required = affinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
  const preferred = affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  const warn = (selector: unknown, at: string): string[] => (selector === undefined ? [`${at}.labelSelector: ${nullSelector}`] : []);
  return [
    ...required.flatMap((t, i) => warn(t.labelSelector, `${path}.requiredDuringSchedulingIgnoredDuringExecution[${i}]`)),
    ...preferred.flatMap((t, i) =>
      warn(t.podAffinityTerm.labelSelector, `${path}.preferredDuringSchedulingIgnoredDuringExecution[${i}].podAffinityTerm`),
    ),
  ];
}

const sysctlsField = 'non-functional in v1.11+; use the "sysctls" field instead';
const deprecatedAnnotations = lookupTable<string>({
  'scheduler.alpha.kubernetes.io/critical-pod': 'non-functional in v1.16+; use the "priorityClassName" field instead',
  'security.alpha.kubernetes.io/sysctls': sysctlsField,
  'security.alpha.kubernetes.io/unsafe-sysctls': sysctlsField,
});

const deprecatedAnnotationWarnings = (annotations: Readonly<Record<string, string>>, path: string): string[] =>
  Object.entries(deprecatedAnnotations).flatMap(([key, message]) =>
    annotations[key] === undefined ? [] : [`${path}[${key}]: ${message}`],
  );

/** In upstream's order. */
const deprecatedVolumes: readonly (readonly [field: keyof Volume, shown: string, message: string])[] = [
  ['photonPersistentDisk', 'photonPersistentDisk', 'deprecated in v1.11, non-functional in v1.16+'],
  ['gitRepo', 'gitRepo', 'deprecated in v1.11, and disabled by default in v1.33+'],
  ['scaleIO', 'scaleIO', 'deprecated in v1.16, non-functional in v1.22+'],
  ['flocker', 'flocker', 'deprecated in v1.22, non-functional in v1.25+'],
  ['storageos', 'storageOS', 'deprecated in v1.22, non-functional in v1.25+'],
  ['quobyte', 'quobyte', 'deprecated in v1.22, non-functional in v1.25+'],
  ['glusterfs', 'glusterfs', 'deprecated in v1.25, non-functional in v1.26+'],
  ['cephfs', 'cephfs', 'deprecated in v1.28, non-functional in v1.31+'],
  ['rbd', 'rbd', 'deprecated in v1.28, non-functional in v1.31+'],
];

function volumeWarnings(volume: DeepReadonly<Volume>, path: string): string[] {
  const claim = volume.ephemeral?.volumeClaimTemplate?.spec?.resources;
  const at = `${path}.ephemeral.volumeClaimTemplate.spec.resources`;
  return [
    ...deprecatedVolumes.flatMap(([field, shown, message]) => (volume[field] === undefined ? [] : [`${path}.${shown}: ${message}`])),
    ...fractionWarnings(claim?.requests?.['storage'], `${at}.requests[storage]`),
    ...fractionWarnings(claim?.limits?.['storage'], `${at}.limits[storage]`),
  ];
}

function duplicateWarnings(spec: Spec, path: string): string[] {
  const repeated = (values: readonly string[], warn: (i: number, value: string) => string): string[] =>
    values.flatMap((value, i) => (values.indexOf(value) < i ? [warn(i, value)] : []));
  const ips = (spec.hostAliases ?? []).map((a) => a.ip ?? '');
  const secrets = (spec.imagePullSecrets ?? []).map((s) => s.name ?? '');
  const secretPath = (i: number): string => `${path}.imagePullSecrets[${i}].name`;
  return [
    ...repeated(ips, (i, ip) => `${path}.hostAliases[${i}].ip: duplicate ip ${JSON.stringify(ip)}`),
    ...repeated(secrets, (i, name) => `${secretPath(i)}: duplicate name ${JSON.stringify(name)}`),
    ...secrets.flatMap((name, i) => (name === '' ? [`${secretPath(i)}: invalid empty name ""`] : [])),
  ];
}

const bandwidthAnnotations = ['kubernetes.io/ingress-bandwidth', 'kubernetes.io/egress-bandwidth'];
const seccompPod = 'seccomp.security.alpha.kubernetes.io/pod';
const seccompContainer = 'container.seccomp.security.alpha.kubernetes.io/';
const useSeccompField = 'non-functional in v1.27+; use the "seccompProfile" field instead';

function profileWarnings(spec: Spec, annotations: Readonly<Record<string, string>>, prefix: string): string[] {
  const ignored = spec.securityContext?.seccompProfile === undefined && annotations[seccompPod] !== undefined;
  return ignored ? [`${prefix}metadata.annotations[${seccompPod}]: ${useSeccompField}`] : [];
}

function containerProfileWarnings(
  { container }: ReturnType<typeof containersWithPaths>[number],
  spec: Spec,
  annotations: Readonly<Record<string, string>>,
  prefix: string,
): string[] {
  const context = container.securityContext;
  const seccompKey = seccompContainer + container.name;
  const armorKey = appArmorAnnotationPrefix + container.name;
  const armor = annotations[armorKey];
  const ofPod = spec.securityContext?.appArmorProfile;
  const seccompIgnored = context?.seccompProfile === undefined && annotations[seccompKey] !== undefined;
  // In a Pod the annotation has been turned into the field by now; in a template it stands alone.
  const covered =
    prefix === ''
      ? false
      : context?.appArmorProfile !== undefined || (ofPod !== undefined && deepEqual(ofPod, appArmorFieldForAnnotation(armor ?? '')));
  return [
    ...(seccompIgnored ? [`${prefix}metadata.annotations[${seccompKey}]: ${useSeccompField}`] : []),
    ...(armor !== undefined && !covered
      ? [`${prefix}metadata.annotations[${armorKey}]: deprecated since v1.30; use the "appArmorProfile" field instead`]
      : []),
  ];
}

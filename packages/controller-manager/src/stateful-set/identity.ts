import {
  statefulSet as statefulSets,
  type PersistentVolumeClaim,
  type Pod,
  type PodTemplateSpec,
  type StatefulSet,
  type Volume,
} from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import { revisionHashLabel } from '../history/controller-history.ts';
import { controllerReference } from '../owner-references.ts';
import { podFromTemplate } from '../pods/pod-from-template.ts';

export type SetView = DeepReadonly<StatefulSet>;
export type PodView = DeepReadonly<Pod>;
export type ClaimView = DeepReadonly<PersistentVolumeClaim>;

const podNameLabel = 'statefulset.kubernetes.io/pod-name';
const podIndexLabel = 'apps.kubernetes.io/pod-index';

export const startOrdinal = (set: SetView): number => set.spec?.ordinals?.start ?? 0;
export const replicasOf = (set: SetView): number => set.spec?.replicas ?? 1;

/** The ordinal of a pod that is named as this set's; undefined for others. */
export function ordinalOf(set: SetView, pod: PodView): number | undefined {
  const match = /^(.*)-(\d+)$/.exec(pod.metadata?.name ?? '');
  const ordinal = Number(match?.[2] ?? 'NaN');
  return match?.[1] === set.metadata?.name && ordinal < 2 ** 31 ? ordinal : undefined;
}
export const inRange = (set: SetView, ordinal: number): boolean =>
  ordinal >= startOrdinal(set) && ordinal < startOrdinal(set) + replicasOf(set);

export const podName = (set: SetView, ordinal: number): string => `${set.metadata?.name ?? ''}-${ordinal}`;
export const claimName = (set: SetView, template: ClaimView, ordinal: number): string =>
  `${template.metadata?.name ?? ''}-${set.metadata?.name ?? ''}-${ordinal}`;
export const revisionOfPod = (pod: PodView): string => pod.metadata?.labels?.[revisionHashLabel] ?? '';

/** The claims of one ordinal, by the names their volumes have. */
export function claimsOf(set: SetView, ordinal: number): Map<string, PersistentVolumeClaim> {
  return new Map(
    (set.spec?.volumeClaimTemplates ?? []).map((template) => {
      const claim = structuredClone(template) as PersistentVolumeClaim;
      delete claim.status;
      claim.metadata = {
        ...claim.metadata,
        name: claimName(set, template, ordinal),
        namespace: set.metadata?.namespace ?? '',
        labels: { ...claim.metadata?.labels, ...set.spec?.selector.matchLabels },
      };
      return [template.metadata?.name ?? '', claim];
    }),
  );
}

function withClaims(set: SetView, ordinal: number, volumes: readonly Volume[]): Volume[] {
  const claims = claimsOf(set, ordinal);
  const own = [...claims].map(([name, claim]): Volume => ({ name, persistentVolumeClaim: { claimName: claim.metadata?.name ?? '' } }));
  return [...own, ...volumes.filter((v) => !claims.has(v.name))];
}

/** The pod of one ordinal from a template; `revision` is the name of the template's revision. */
export function statefulPod(set: SetView, template: DeepReadonly<PodTemplateSpec>, o: { ordinal: number; revision: string }): Pod {
  const pod = podFromTemplate(template, set, controllerReference(set, statefulSets));
  const name = podName(set, o.ordinal);
  const { generateName: _generateName, ...metadata } = pod.metadata ?? {};
  const labels = { ...metadata.labels, [podNameLabel]: name, [podIndexLabel]: String(o.ordinal), [revisionHashLabel]: o.revision };
  const spec = pod.spec ?? { containers: [] };
  return {
    ...pod,
    metadata: { ...metadata, name, labels },
    spec: { ...spec, hostname: name, subdomain: set.spec?.serviceName ?? '', volumes: withClaims(set, o.ordinal, spec.volumes ?? []) },
  };
}

export const identityMatches = (pod: PodView): boolean => pod.metadata?.labels?.[podNameLabel] === pod.metadata?.name;

export function storageMatches(set: SetView, pod: PodView, ordinal: number): boolean {
  const volumes = new Map((pod.spec?.volumes ?? []).map((v) => [v.name, v]));
  return [...claimsOf(set, ordinal)].every(([name, claim]) => volumes.get(name)?.persistentVolumeClaim?.claimName === claim.metadata?.name);
}

/** A pod's labels as its identity wants them. */
export const identityLabels = (pod: PodView, ordinal: number): Record<string, string> => ({
  ...pod.metadata?.labels,
  [podNameLabel]: pod.metadata?.name ?? '',
  [podIndexLabel]: String(ordinal),
});

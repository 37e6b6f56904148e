import { procMount } from './baseline-checks.ts';
import {
  type Check,
  type CheckPod,
  containersOf,
  inUserNamespace,
  isWindows,
  named,
  namesOf,
  quoted,
  setters,
  several,
  type SomeContainer,
  sorted,
  unless,
} from './check.ts';
import { seccompRestricted } from './seccomp-checks.ts';

const noEscalation: CheckPod = (spec) => {
  const bad = namesOf(spec, (c) => c.securityContext?.allowPrivilegeEscalation !== false);
  return bad.length === 0
    ? undefined
    : { reason: 'allowPrivilegeEscalation != false', detail: `${named(bad)} must set securityContext.allowPrivilegeEscalation=false` };
};

const capabilities: CheckPod = (spec) => {
  const caps = (c: SomeContainer) => c.securityContext?.capabilities;
  const added = (c: SomeContainer): string[] => (caps(c)?.add ?? []).filter((cap) => cap !== 'NET_BIND_SERVICE');
  const keeping = namesOf(spec, (c) => !(caps(c)?.drop ?? []).includes('ALL'));
  const adding = namesOf(spec, (c) => added(c).length > 0);
  const forbidden = quoted(sorted(containersOf(spec).flatMap(added)));
  const details = [
    ...(keeping.length > 0 ? [`${named(keeping)} must set securityContext.capabilities.drop=["ALL"]`] : []),
    ...(adding.length > 0 ? [`${named(adding)} must not include ${forbidden} in securityContext.capabilities.add`] : []),
  ];
  return details.length === 0 ? undefined : { reason: 'unrestricted capabilities', detail: details.join('; ') };
};

const allowedVolumes: ReadonlySet<string> = new Set([
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'image',
  'persistentVolumeClaim',
  'projected',
  'secret',
]);

const volumes: CheckPod = (spec) => {
  const bad = (spec.volumes ?? []).filter(
    (v) => !Object.entries(v).some(([field, source]) => source !== undefined && allowedVolumes.has(field)),
  );
  if (bad.length === 0) return undefined;
  const types = sorted(
    bad.map((v) => Object.entries(v).find(([field, source]) => field !== 'name' && source !== undefined)?.[0] ?? 'unknown'),
  );
  const names = quoted(bad.map((v) => v.name ?? ''));
  const what = `${several(bad.length, 'uses', 'use')} ${several(types.length, 'restricted volume type')} ${quoted(types)}`;
  return { reason: 'restricted volume types', detail: `${several(bad.length, 'volume')} ${names} ${what}` };
};

const nonRoot: CheckPod = (spec) => {
  const reason = 'runAsNonRoot != true';
  const ofPod = spec.securityContext?.runAsNonRoot;
  const refusing = setters(
    ofPod === false,
    namesOf(spec, (c) => c.securityContext?.runAsNonRoot === false),
  );
  if (refusing !== '') return { reason, detail: `${refusing} must not set securityContext.runAsNonRoot=false` };
  const silent = ofPod === true ? [] : namesOf(spec, (c) => c.securityContext?.runAsNonRoot === undefined);
  return silent.length === 0 ? undefined : { reason, detail: `pod or ${named(silent)} must set securityContext.runAsNonRoot=true` };
};

const notUserZero: CheckPod = (spec) => {
  const isZero = (x: { readonly securityContext?: { readonly runAsUser?: number | bigint } }): boolean =>
    x.securityContext?.runAsUser !== undefined && Number(x.securityContext.runAsUser) === 0;
  const who = setters(isZero(spec), namesOf(spec, isZero));
  return who === '' ? undefined : { reason: 'runAsUser=0', detail: `${who} must not set runAsUser=0` };
};

/** Pods for Windows are free of what Windows doesn't know, since 1.25. */
const linuxOnly = (since: number, check: CheckPod): Check['versions'] => [
  { since, check },
  { since: 25, check: unless(isWindows, check) },
];
/** Root in a user namespace is nobody outside, since 1.35 (KEP-127). */
const unlessUserNamespace = (since: number, check: CheckPod): Check['versions'] => [
  { since, check },
  { since: 35, check: unless(inUserNamespace, check) },
];

/** What the restricted level asks beyond the baseline, in the order in which violations are told. */
export const restrictedChecks: readonly Check[] = [
  { id: 'allowPrivilegeEscalation', versions: linuxOnly(8, noEscalation) },
  { id: 'capabilities_restricted', versions: linuxOnly(22, capabilities), overrides: 'capabilities_baseline' },
  { id: 'procMount_restricted', versions: [{ since: 35, check: procMount }], overrides: 'procMount' },
  { id: 'restrictedVolumes', versions: [{ since: 0, check: volumes }], overrides: 'hostPathVolumes' },
  { id: 'runAsNonRoot', versions: unlessUserNamespace(0, nonRoot) },
  { id: 'runAsUser', versions: unlessUserNamespace(23, notUserZero) },
  { id: 'seccompProfile_restricted', versions: linuxOnly(19, seccompRestricted), overrides: 'seccompProfile_baseline' },
];

import {
  type Check,
  type CheckPod,
  containersOf,
  inUserNamespace,
  named,
  namesOf,
  type PodSpec,
  quoted,
  setters,
  several,
  type SomeContainer,
  sorted,
  unless,
} from './check.ts';
import { seccompBaseline, seccompOfAnnotations } from './seccomp-checks.ts';
import { sysctlsAsOf } from './sysctl-checks.ts';

const appArmorPrefix = 'container.apparmor.security.beta.kubernetes.io/';
const allowedAppArmorTypes: ReadonlySet<string> = new Set(['RuntimeDefault', 'Localhost']);
const allowedAppArmorText = (text: string): boolean => text === '' || text === 'runtime/default' || text.startsWith('localhost/');

const appArmor: CheckPod = (spec, meta) => {
  const badType = (c: { readonly securityContext?: SomeContainer['securityContext'] | PodSpec['securityContext'] }): string[] => {
    const profile = c.securityContext?.appArmorProfile;
    return profile === undefined || allowedAppArmorTypes.has(profile.type ?? '') ? [] : [profile.type ?? ''];
  };
  const ofPod = badType(spec);
  const containers = namesOf(spec, (c) => badType(c).length > 0);
  const annotations = Object.entries(meta.annotations ?? {})
    .filter(([key, value]) => key.startsWith(appArmorPrefix) && !allowedAppArmorText(value))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .toSorted();
  const who = [setters(ofPod.length > 0, containers), ...(annotations.length > 0 ? [several(annotations.length, 'annotation')] : [])];
  const values = [...sorted([...ofPod, ...containersOf(spec).flatMap(badType)]), ...annotations];
  if (values.length === 0) return undefined;
  return {
    reason: several(values.length, 'forbidden AppArmor profile'),
    detail: `${who.filter((w) => w !== '').join(' and ')} must not set AppArmor profile type to ${quoted(values)}`,
  };
};

const harmlessCapabilities: ReadonlySet<string> = new Set([
  'AUDIT_WRITE',
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'MKNOD',
  'NET_BIND_SERVICE',
  'SETFCAP',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYS_CHROOT',
]);

const capabilities: CheckPod = (spec) => {
  const beyond = (c: SomeContainer): string[] =>
    (c.securityContext?.capabilities?.add ?? []).filter((cap) => !harmlessCapabilities.has(cap));
  const bad = namesOf(spec, (c) => beyond(c).length > 0);
  if (bad.length === 0) return undefined;
  const added = quoted(sorted(containersOf(spec).flatMap(beyond)));
  return { reason: 'non-default capabilities', detail: `${named(bad)} must not include ${added} in securityContext.capabilities.add` };
};

const hostNamespaces: CheckPod = (spec) => {
  const shared = (['hostNetwork', 'hostPID', 'hostIPC'] as const).filter((field) => spec[field] === true);
  return shared.length === 0 ? undefined : { reason: 'host namespaces', detail: shared.map((field) => `${field}=true`).join(', ') };
};

const hostPathVolumes: CheckPod = (spec) => {
  const names = (spec.volumes ?? []).filter((v) => v.hostPath !== undefined).map((v) => v.name ?? '');
  return names.length === 0 ? undefined : { reason: 'hostPath volumes', detail: `${several(names.length, 'volume')} ${quoted(names)}` };
};

const hostPorts: CheckPod = (spec) => {
  const portsOf = (c: SomeContainer): string[] =>
    (c.ports ?? []).flatMap((p) => (p.hostPort === undefined || p.hostPort === 0 ? [] : [String(p.hostPort)]));
  const bad = namesOf(spec, (c) => portsOf(c).length > 0);
  if (bad.length === 0) return undefined;
  const ports = sorted(containersOf(spec).flatMap(portsOf));
  const detail = `${named(bad)} ${several(bad.length, 'uses', 'use')} ${several(ports.length, 'hostPort')} ${ports.join(', ')}`;
  return { reason: 'hostPort', detail };
};

/** Probes and hooks make the kubelet call wherever `host` says (since 1.34). */
const hostsOfProbes: CheckPod = (spec) => {
  const hostsOf = (c: SomeContainer): string[] =>
    [c.livenessProbe, c.readinessProbe, c.startupProbe, c.lifecycle?.postStart, c.lifecycle?.preStop]
      .flatMap((h) => [h?.httpGet?.host ?? '', h?.tcpSocket?.host ?? ''])
      .filter((host) => host !== '');
  const bad = sorted(namesOf(spec, (c) => hostsOf(c).length > 0));
  if (bad.length === 0) return undefined;
  const hosts = sorted(containersOf(spec).flatMap(hostsOf));
  const what = several(hosts.length, 'probe or lifecycle host');
  return { reason: 'probe or lifecycle host', detail: `${named(bad)} ${several(bad.length, 'uses', 'use')} ${what} ${quoted(hosts)}` };
};

const privileged: CheckPod = (spec) => {
  const bad = namesOf(spec, (c) => c.securityContext?.privileged === true);
  return bad.length === 0 ? undefined : { reason: 'privileged', detail: `${named(bad)} must not set securityContext.privileged=true` };
};

export const procMount: CheckPod = (spec) => {
  const typeOf = (c: SomeContainer): string => c.securityContext?.procMount ?? 'Default';
  const bad = namesOf(spec, (c) => typeOf(c) !== 'Default');
  if (bad.length === 0) return undefined;
  const types = sorted(containersOf(spec).map(typeOf)).filter((type) => type !== 'Default');
  return { reason: 'procMount', detail: `${named(bad)} must not set securityContext.procMount to ${quoted(types)}` };
};

const seLinuxTypes = ['', 'container_t', 'container_init_t', 'container_kvm_t'];
const seLinux =
  (types: readonly string[]): CheckPod =>
  (spec) => {
    const all = [spec, ...containersOf(spec)].flatMap((x) => x.securityContext?.seLinuxOptions ?? []);
    const isBad = (x: PodSpec | SomeContainer): boolean => {
      const o = x.securityContext?.seLinuxOptions;
      return o !== undefined && (!types.includes(o.type ?? '') || Boolean(o.user) || Boolean(o.role));
    };
    const who = setters(isBad(spec), namesOf(spec, isBad));
    if (who === '') return undefined;
    const badTypes = sorted(all.map((o) => o.type ?? '').filter((type) => !types.includes(type)));
    const what = [
      ...(badTypes.length > 0 ? [`${several(badTypes.length, 'type')} ${quoted(badTypes)}`] : []),
      ...(all.some((o) => o.user) ? ['user may not be set'] : []),
      ...(all.some((o) => o.role) ? ['role may not be set'] : []),
    ];
    return { reason: 'seLinuxOptions', detail: `${who} set forbidden securityContext.seLinuxOptions: ${what.join('; ')}` };
  };

const windowsHostProcess: CheckPod = (spec) => {
  const isBad = (x: PodSpec | SomeContainer): boolean => x.securityContext?.windowsOptions?.hostProcess === true;
  const who = setters(isBad(spec), namesOf(spec, isBad));
  return who === '' ? undefined : { reason: 'hostProcess', detail: `${who} must not set securityContext.windowsOptions.hostProcess=true` };
};

const always = (check: CheckPod): Check['versions'] => [{ since: 0, check }];

/** The baseline level, in the order in which violations are told. */
export const baselineChecks: readonly Check[] = [
  { id: 'appArmorProfile', versions: always(appArmor) },
  { id: 'capabilities_baseline', versions: always(capabilities) },
  { id: 'hostNamespaces', versions: always(hostNamespaces) },
  { id: 'hostPathVolumes', versions: always(hostPathVolumes) },
  { id: 'hostPorts', versions: always(hostPorts) },
  { id: 'hostProbesAndHostLifecycle', versions: [{ since: 34, check: hostsOfProbes }] },
  { id: 'privileged', versions: always(privileged) },
  { id: 'procMount', versions: [...always(procMount), { since: 35, check: unless(inUserNamespace, procMount) }] },
  {
    id: 'seLinuxOptions',
    versions: [...always(seLinux(seLinuxTypes)), { since: 31, check: seLinux([...seLinuxTypes, 'container_engine_t']) }],
  },
  { id: 'seccompProfile_baseline', versions: [...always(seccompOfAnnotations), { since: 19, check: seccompBaseline }] },
  { id: 'sysctls', versions: sysctlsAsOf },
  { id: 'windowsHostProcess', versions: always(windowsHostProcess) },
];

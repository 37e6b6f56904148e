import { isDeepStrictEqual } from 'node:util';
import type {
  Container,
  ContainerConfig,
  ContainerResources,
  ContainerSecurityContext,
  ContainerState,
  ContainerFilesystem,
  ContainerStats,
  ContainerStatus,
  Mount,
} from '../container.ts';
import type {
  Outgoing,
  WireContainer,
  WireContainerConfig,
  WireContainerState,
  WireContainerStats,
  WireContainerStatus,
  WireMount,
  WireResources,
  WireSecurityProfile,
} from './messages.ts';
import { fromWireMode, fromWireSeccomp, millisOf, nanosOf, toWireMode, toWireSeccomp } from './wire-sandbox.ts';

/** The CRI has no field for a limit of processes; this file of cgroup v2 is it. */
const pidsFile = 'pids.max';
/** What a client of the CRI is expected to ask for when /proc is to be masked as usual. */
const maskedPaths = [
  '/proc/asound',
  '/proc/acpi',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
];
const readonlyPaths = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const states: Readonly<Record<ContainerState, WireContainerState>> = {
  created: 'CONTAINER_CREATED',
  running: 'CONTAINER_RUNNING',
  exited: 'CONTAINER_EXITED',
  unknown: 'CONTAINER_UNKNOWN',
};
export const toWireState = (state: ContainerState): WireContainerState => states[state];
export const fromWireState = (state: WireContainerState): ContainerState =>
  (Object.keys(states) as ContainerState[]).find((s) => states[s] === state) ?? 'unknown';

/** The enum spells SIGRTMIN+1 as SIGRTMINPLUS1. */
export const toWireSignal = (name: string | undefined): string =>
  name === undefined ? 'RUNTIME_DEFAULT' : name.replace('+', 'PLUS').replace('-', 'MINUS');
/** undefined: the runtime's default. */
export const fromWireSignal = (name: string): string | undefined =>
  name === 'RUNTIME_DEFAULT' || name === '' ? undefined : name.replace('PLUS', '+').replace('MINUS', '-');

export const toWireResources = (r: ContainerResources): Outgoing<WireResources> => ({
  cpuPeriod: r.cpuPeriodMicros,
  cpuQuota: r.cpuQuotaMicros,
  cpuShares: r.cpuShares,
  memoryLimitInBytes: r.memoryLimitBytes,
  memorySwapLimitInBytes: r.memorySwapLimitBytes,
  oomScoreAdj: r.oomScoreAdj,
  cpusetCpus: r.cpusetCpus,
  cpusetMems: r.cpusetMems,
  hugepageLimits: Object.entries(r.hugePageLimits ?? {}).map(([pageSize, limit]) => ({ pageSize, limit })),
  unified: { ...r.unified, ...(r.pidsLimit === undefined ? {} : { [pidsFile]: String(r.pidsLimit) }) },
});
export function fromWireResources(r: WireResources | null | undefined): ContainerResources {
  if (r === null || r === undefined) return {};
  const { [pidsFile]: pids, ...unified } = r.unified;
  const found: Mutable<ContainerResources> = {};
  if (r.cpuPeriod !== 0) found.cpuPeriodMicros = r.cpuPeriod;
  if (r.cpuQuota !== 0) found.cpuQuotaMicros = r.cpuQuota;
  if (r.cpuShares !== 0) found.cpuShares = r.cpuShares;
  if (r.memoryLimitInBytes !== 0) found.memoryLimitBytes = r.memoryLimitInBytes;
  if (r.memorySwapLimitInBytes !== 0) found.memorySwapLimitBytes = r.memorySwapLimitInBytes;
  if (r.oomScoreAdj !== 0) found.oomScoreAdj = r.oomScoreAdj;
  if (r.cpusetCpus !== '') found.cpusetCpus = r.cpusetCpus;
  if (r.cpusetMems !== '') found.cpusetMems = r.cpusetMems;
  if (pids !== undefined) found.pidsLimit = Number(pids);
  if (r.hugepageLimits.length > 0) found.hugePageLimits = Object.fromEntries(r.hugepageLimits.map((h) => [h.pageSize, h.limit]));
  if (Object.keys(unified).length > 0) found.unified = unified;
  return found;
}

const propagations = {
  private: 'PROPAGATION_PRIVATE',
  'host-to-container': 'PROPAGATION_HOST_TO_CONTAINER',
  bidirectional: 'PROPAGATION_BIDIRECTIONAL',
} as const;
const toWireMount = (m: Mount): Outgoing<WireMount> => ({
  containerPath: m.containerPath,
  hostPath: m.hostPath,
  readonly: m.readOnly,
  propagation: propagations[m.propagation],
  recursiveReadOnly: m.recursiveReadOnly,
  ...(m.image === undefined
    ? {}
    : {
        image: { image: m.image.id, userSpecifiedImage: m.image.reference },
        imageSubPath: m.image.subPath,
      }),
});
/** Says by what the image is known, too (KEP-5365). */
function toWireStatusMount(m: Mount): Outgoing<WireMount> {
  const mount = toWireMount(m);
  return m.image === undefined ? mount : { ...mount, image: { ...mount.image, imageRef: m.image.id } };
}
const fromWireMount = (m: WireMount): Mount => ({
  containerPath: m.containerPath,
  hostPath: m.hostPath,
  readOnly: m.readonly,
  ...(m.recursiveReadOnly ? { recursiveReadOnly: true } : {}),
  ...(m.image === null || m.image.image === ''
    ? {}
    : {
        image: {
          id: m.image.image,
          reference: m.image.userSpecifiedImage || m.image.image,
          ...(m.imageSubPath === '' ? {} : { subPath: m.imageSubPath }),
        },
      }),
  propagation: (Object.keys(propagations) as Mount['propagation'][]).find((p) => propagations[p] === m.propagation) ?? 'private',
});

function toWireAppArmor(profile: string | undefined): Outgoing<WireSecurityProfile> | undefined {
  if (profile === undefined) return undefined;
  if (profile === 'runtime/default') return { profileType: 'RuntimeDefault' };
  return profile === 'unconfined' ? { profileType: 'Unconfined' } : { profileType: 'Localhost', localhostRef: profile };
}
function fromWireAppArmor(p: WireSecurityProfile | null): string | undefined {
  if (p === null) return undefined;
  if (p.profileType === 'RuntimeDefault') return 'runtime/default';
  return p.profileType === 'Unconfined' ? 'unconfined' : p.localhostRef;
}

type WireSecurityContext = NonNullable<NonNullable<WireContainerConfig['linux']>['securityContext']>;

function toWireSecurity(s: ContainerSecurityContext): Outgoing<WireSecurityContext> {
  const target = s.targetContainerId;
  const masked = !s.privileged && !s.unmaskedProc;
  return {
    privileged: s.privileged,
    capabilities: { addCapabilities: s.addCapabilities, dropCapabilities: s.dropCapabilities },
    namespaceOptions: { pid: target === undefined ? toWireMode(s.pid) : 'TARGET', targetId: target },
    runAsUser: s.runAsUser === undefined ? undefined : { value: s.runAsUser },
    runAsUsername: s.runAsUsername,
    runAsGroup: s.runAsGroup === undefined ? undefined : { value: s.runAsGroup },
    supplementalGroups: s.supplementalGroups,
    supplementalGroupsPolicy: s.supplementalGroupsPolicy === 'strict' ? 'Strict' : 'Merge',
    readonlyRootfs: s.readOnlyRootFilesystem,
    noNewPrivs: s.noNewPrivileges,
    maskedPaths: masked ? (s.pathProtection?.masked ?? maskedPaths) : [],
    readonlyPaths: masked ? (s.pathProtection?.readOnly ?? readonlyPaths) : [],
    seccomp: toWireSeccomp(s.seccomp),
    apparmor: toWireAppArmor(s.apparmorProfile),
    selinuxOptions: s.seLinux,
  };
}

/** Neither none nor the usual one. */
function isProtectionOfItsOwn(s: WireSecurityContext): boolean {
  if (s.privileged || s.maskedPaths.length + s.readonlyPaths.length === 0) return false;
  return !isDeepStrictEqual([s.maskedPaths, s.readonlyPaths], [maskedPaths, readonlyPaths]);
}

function fromWireSecurity(s: WireSecurityContext | null | undefined): ContainerSecurityContext {
  const pid = s?.namespaceOptions;
  const apparmor = fromWireAppArmor(s?.apparmor ?? null);
  const se = s?.selinuxOptions;
  return {
    privileged: s?.privileged ?? false,
    addCapabilities: s?.capabilities?.addCapabilities ?? [],
    dropCapabilities: s?.capabilities?.dropCapabilities ?? [],
    pid: fromWireMode(pid?.pid),
    ...(pid?.pid === 'TARGET' ? { targetContainerId: pid.targetId } : {}),
    ...(s?.runAsUser ? { runAsUser: s.runAsUser.value } : {}),
    ...(s?.runAsUsername ? { runAsUsername: s.runAsUsername } : {}),
    ...(s?.runAsGroup ? { runAsGroup: s.runAsGroup.value } : {}),
    supplementalGroups: s?.supplementalGroups ?? [],
    ...(s?.supplementalGroupsPolicy === 'Strict' ? { supplementalGroupsPolicy: 'strict' as const } : {}),
    readOnlyRootFilesystem: s?.readonlyRootfs ?? false,
    noNewPrivileges: s?.noNewPrivs ?? false,
    unmaskedProc: s !== null && s !== undefined && s.maskedPaths.length === 0 && s.readonlyPaths.length === 0 && !s.privileged,
    ...(s && isProtectionOfItsOwn(s) ? { pathProtection: { masked: s.maskedPaths, readOnly: s.readonlyPaths } } : {}),
    seccomp: fromWireSeccomp(s?.seccomp),
    ...(apparmor === undefined ? {} : { apparmorProfile: apparmor }),
    ...(se ? { seLinux: { user: se.user, role: se.role, type: se.type, level: se.level } } : {}),
  };
}

export const toWireContainerConfig = (c: ContainerConfig): Outgoing<WireContainerConfig> => ({
  metadata: c.metadata,
  image: { image: c.image },
  command: c.command,
  args: c.args,
  workingDir: c.workingDir,
  envs: c.envs.map((e) => ({ key: e.name, value: Buffer.from(e.value) })),
  mounts: c.mounts.map(toWireMount),
  devices: c.devices,
  cdiDevices: (c.cdiDevices ?? []).map((name) => ({ name })),
  labels: c.labels,
  annotations: c.annotations,
  stdin: c.stdin,
  stdinOnce: c.stdinOnce,
  tty: c.tty,
  stopSignal: toWireSignal(c.stopSignal),
  linux: { resources: toWireResources(c.resources), securityContext: toWireSecurity(c.securityContext) },
});
export function fromWireContainerConfig(c: WireContainerConfig): ContainerConfig {
  const stopSignal = fromWireSignal(c.stopSignal);
  return {
    metadata: { name: c.metadata?.name ?? '', attempt: c.metadata?.attempt ?? 0 },
    image: c.image?.image ?? '',
    command: c.command,
    args: c.args,
    ...(c.workingDir === '' ? {} : { workingDir: c.workingDir }),
    envs: c.envs.map((e) => ({ name: e.key, value: e.value.toString() })),
    mounts: c.mounts.map(fromWireMount),
    devices: c.devices,
    ...(c.cdiDevices.length === 0 ? {} : { cdiDevices: c.cdiDevices.map((d) => d.name) }),
    labels: c.labels,
    annotations: c.annotations,
    stdin: c.stdin,
    stdinOnce: c.stdinOnce,
    tty: c.tty,
    ...(stopSignal === undefined ? {} : { stopSignal }),
    resources: fromWireResources(c.linux?.resources),
    securityContext: fromWireSecurity(c.linux?.securityContext),
  };
}

export const toWireContainer = (c: Container): Outgoing<WireContainer> => ({
  id: c.id,
  podSandboxId: c.podSandboxId,
  metadata: c.metadata,
  image: { image: c.image },
  imageRef: c.image,
  imageId: c.localImageId,
  state: toWireState(c.state),
  createdAt: nanosOf(c.createdAtMs),
  labels: c.labels,
  annotations: c.annotations,
});
export const fromWireContainer = (c: WireContainer): Container => ({
  id: c.id,
  podSandboxId: c.podSandboxId,
  metadata: { name: c.metadata?.name ?? '', attempt: c.metadata?.attempt ?? 0 },
  image: c.image?.image ?? '',
  ...(c.imageId === '' ? {} : { localImageId: c.imageId }),
  state: fromWireState(c.state),
  createdAtMs: millisOf(c.createdAt),
  labels: c.labels,
  annotations: c.annotations,
});

export const toWireContainerStatus = (c: ContainerStatus): Outgoing<WireContainerStatus> => ({
  id: c.id,
  metadata: c.metadata,
  image: { image: c.image },
  imageRef: c.imageId,
  imageId: c.localImageId,
  state: toWireState(c.state),
  createdAt: nanosOf(c.createdAtMs),
  startedAt: nanosOf(c.startedAtMs),
  finishedAt: nanosOf(c.finishedAtMs),
  exitCode: c.exitCode,
  reason: c.reason,
  message: c.message,
  labels: c.labels,
  annotations: c.annotations,
  logPath: c.logPath,
  mounts: (c.mounts ?? []).map(toWireStatusMount),
  resources: { linux: toWireResources(c.resources) },
  user: c.user === undefined ? undefined : { linux: c.user },
  stopSignal: toWireSignal(c.stopSignal),
});
export function fromWireContainerStatus(c: WireContainerStatus, podSandboxId: string): ContainerStatus {
  const user = c.user?.linux;
  return {
    ...fromWireContainer({ ...c, podSandboxId }),
    imageId: c.imageRef,
    startedAtMs: millisOf(c.startedAt),
    finishedAtMs: millisOf(c.finishedAt),
    exitCode: c.exitCode,
    reason: c.reason,
    message: c.message,
    resources: fromWireResources(c.resources?.linux),
    ...(c.logPath === '' ? {} : { logPath: c.logPath }),
    stopSignal: fromWireSignal(c.stopSignal) ?? 'SIGTERM',
    ...(user ? { user: { uid: user.uid, gid: user.gid, supplementalGroups: user.supplementalGroups } } : {}),
  };
}

/** CPU and memory, of a container or of a pod. */
export function toWireUsage(s: ContainerStats): Pick<Outgoing<WireContainerStats>, 'cpu' | 'memory'> {
  const timestamp = nanosOf(s.timestampMs);
  return {
    cpu: { timestamp, usageCoreNanoSeconds: { value: s.cpuUsageNanoSeconds } },
    memory: {
      timestamp,
      workingSetBytes: { value: s.memoryWorkingSetBytes },
      usageBytes: { value: s.memoryUsageBytes },
      rssBytes: { value: s.memoryRssBytes },
      pageFaults: { value: s.pageFaults },
      majorPageFaults: { value: s.majorPageFaults },
    },
  };
}

/** `container`: whose they are. */
export function toWireStats(s: ContainerStats, container: Container, written?: ContainerFilesystem): Outgoing<WireContainerStats> {
  return {
    attributes: { id: s.id, metadata: container.metadata, labels: container.labels, annotations: container.annotations },
    ...toWireUsage(s),
    ...(written === undefined
      ? {}
      : {
          writableLayer: {
            usedBytes: { value: written.usedBytes },
            ...(written.inodesUsed === undefined ? {} : { inodesUsed: { value: written.inodesUsed } }),
          },
        }),
  };
}
export const fromWireStats = (id: string, s: WireContainerStats): ContainerStats => ({
  id,
  name: s.attributes?.metadata?.name ?? '',
  timestampMs: millisOf(s.cpu?.timestamp ?? s.memory?.timestamp ?? 0),
  cpuUsageNanoSeconds: s.cpu?.usageCoreNanoSeconds?.value ?? 0,
  memoryUsageBytes: s.memory?.usageBytes?.value ?? 0,
  memoryWorkingSetBytes: s.memory?.workingSetBytes?.value ?? 0,
  memoryRssBytes: s.memory?.rssBytes?.value ?? 0,
  pageFaults: s.memory?.pageFaults?.value ?? 0,
  majorPageFaults: s.memory?.majorPageFaults?.value ?? 0,
});

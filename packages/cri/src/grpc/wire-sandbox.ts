import type { NamespaceMode, NamespaceOptions, PodSandbox, PodSandboxConfig, PodSandboxStatus, SeccompProfile } from '../sandbox.ts';
import type {
  Outgoing,
  Strings,
  WireNamespaceMode,
  WireNamespaceOption,
  WireSandbox,
  WireSandboxConfig,
  WireSandboxMetadata,
  WireSandboxStatus,
  WireSecurityProfile,
} from './messages.ts';

export const nanosOf = (ms: number): number => ms * 1e6;
export const millisOf = (nanos: number): number => Math.floor(nanos / 1e6);

export const without = (all: Strings, prefix: string): Record<string, string> =>
  Object.fromEntries(Object.entries(all).filter(([k]) => !k.startsWith(prefix)));

const modes: Readonly<Record<NamespaceMode, WireNamespaceMode>> = { pod: 'POD', container: 'CONTAINER', node: 'NODE' };
export const toWireMode = (mode: NamespaceMode): WireNamespaceMode => modes[mode];
export function fromWireMode(mode: WireNamespaceMode | undefined): NamespaceMode {
  if (mode === 'NODE') return 'node';
  return mode === 'CONTAINER' || mode === 'TARGET' ? 'container' : 'pod';
}
export const toWireNamespaces = (n: NamespaceOptions): Outgoing<WireNamespaceOption> => ({
  network: toWireMode(n.network),
  pid: toWireMode(n.pid),
  ipc: toWireMode(n.ipc),
});
export const fromWireNamespaces = (n: WireNamespaceOption | null | undefined): NamespaceOptions => ({
  network: n?.network === 'NODE' ? 'node' : 'pod',
  pid: fromWireMode(n?.pid),
  ipc: n?.ipc === 'NODE' ? 'node' : 'pod',
});

export const toWireSeccomp = (p: SeccompProfile): Outgoing<WireSecurityProfile> => ({
  profileType: p.type,
  localhostRef: p.localhostPath,
});
export function fromWireSeccomp(p: WireSecurityProfile | null | undefined): SeccompProfile {
  if (p === null || p === undefined) return { type: 'Unconfined' };
  return { type: p.profileType, ...(p.localhostRef === '' ? {} : { localhostPath: p.localhostRef }) };
}

export const toWireSandboxConfig = (c: PodSandboxConfig): Outgoing<WireSandboxConfig> => ({
  metadata: c.metadata,
  hostname: c.namespaces.network === 'node' ? '' : c.hostname,
  labels: c.labels,
  annotations: c.annotations,
  dnsConfig: c.dns,
  linux: {
    cgroupParent: c.cgroupParent,
    sysctls: c.sysctls,
    securityContext: {
      namespaceOptions: toWireNamespaces(c.namespaces),
      seccomp: toWireSeccomp(c.seccomp),
      privileged: c.privileged,
    },
    resources: { oomScoreAdj: c.oomScoreAdj },
  },
});

const metadataOf = (m: WireSandboxMetadata | null): PodSandboxConfig['metadata'] =>
  m === null ? { name: '', namespace: '', uid: '', attempt: 0 } : { name: m.name, namespace: m.namespace, uid: m.uid, attempt: m.attempt };

export const fromWireSandboxConfig = (c: WireSandboxConfig, runtimeHandler: string): PodSandboxConfig => ({
  metadata: metadataOf(c.metadata),
  hostname: c.hostname,
  labels: c.labels,
  annotations: c.annotations,
  runtimeHandler,
  namespaces: fromWireNamespaces(c.linux?.securityContext?.namespaceOptions),
  ...(c.linux === null || c.linux.cgroupParent === '' ? {} : { cgroupParent: c.linux.cgroupParent }),
  ...(c.linux?.securityContext?.privileged === true ? { privileged: true } : {}),
  sysctls: c.linux?.sysctls ?? {},
  ...(c.dnsConfig === null ? {} : { dns: c.dnsConfig }),
  seccomp: fromWireSeccomp(c.linux?.securityContext?.seccomp),
  oomScoreAdj: c.linux?.resources?.oomScoreAdj ?? 0,
});

export const toWireSandbox = (s: PodSandbox): Outgoing<WireSandbox> => ({
  id: s.id,
  metadata: s.metadata,
  state: s.state === 'ready' ? 'SANDBOX_READY' : 'SANDBOX_NOTREADY',
  createdAt: nanosOf(s.createdAtMs),
  labels: s.labels,
  annotations: s.annotations,
});
export const fromWireSandbox = (s: WireSandbox): PodSandbox => ({
  id: s.id,
  metadata: metadataOf(s.metadata),
  state: s.state === 'SANDBOX_READY' ? 'ready' : 'not-ready',
  createdAtMs: millisOf(s.createdAt),
  labels: s.labels,
  annotations: s.annotations,
});
export const toWireSandboxStatus = (s: PodSandboxStatus): Outgoing<WireSandboxStatus> => ({
  ...toWireSandbox(s),
  linux: { namespaces: { options: toWireNamespaces(s.namespaces) } },
});
export const fromWireSandboxStatus = (s: WireSandboxStatus, pid: number | undefined): PodSandboxStatus => ({
  ...fromWireSandbox(s),
  namespaces: fromWireNamespaces(s.linux?.namespaces?.options),
  ...(pid === undefined || pid <= 0 ? {} : { pid }),
});

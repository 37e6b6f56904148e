import { readFile } from 'node:fs/promises';
import type { HostConfig, MountSettings } from 'dockerode';
import { type ContainerConfig, type ContainerResources, type Mount, RuntimeError, type SeccompProfile } from '@skiff/cri';

/** The engine refuses smaller limits. */
export const minimumMemoryBytes = 6 * 1024 * 1024;

/** Fields of HostConfig for `resources`. All related limits are set together, or later updates conflict. */
export function renderResources(r: ContainerResources, oomScoreFloor: number): Partial<HostConfig> {
  const memory = r.memoryLimitBytes === undefined || r.memoryLimitBytes === 0 ? 0 : Math.max(r.memoryLimitBytes, minimumMemoryBytes);
  const swap =
    r.memorySwapLimitBytes === undefined || r.memorySwapLimitBytes < 0 ? r.memorySwapLimitBytes : Math.max(r.memorySwapLimitBytes, memory);
  return {
    CpuPeriod: r.cpuPeriodMicros ?? 0,
    CpuQuota: r.cpuQuotaMicros ?? 0,
    CpuShares: r.cpuShares ?? 0,
    Memory: memory,
    MemorySwap: swap ?? memory,
    OomScoreAdj: Math.max(r.oomScoreAdj ?? 0, oomScoreFloor),
    ...(r.cpusetCpus === undefined ? {} : { CpusetCpus: r.cpusetCpus }),
    ...(r.cpusetMems === undefined ? {} : { CpusetMems: r.cpusetMems }),
    ...(r.pidsLimit === undefined ? {} : { PidsLimit: r.pidsLimit }),
  };
}

export function parseResources(h: Partial<HostConfig>): ContainerResources {
  return {
    ...(h.CpuPeriod ? { cpuPeriodMicros: h.CpuPeriod } : {}),
    ...(h.CpuQuota ? { cpuQuotaMicros: h.CpuQuota } : {}),
    ...(h.CpuShares ? { cpuShares: h.CpuShares } : {}),
    ...(h.Memory ? { memoryLimitBytes: h.Memory } : {}),
    ...(h.OomScoreAdj === undefined ? {} : { oomScoreAdj: h.OomScoreAdj }),
    ...(h.CpusetCpus ? { cpusetCpus: h.CpusetCpus } : {}),
    ...(h.CpusetMems ? { cpusetMems: h.CpusetMems } : {}),
  };
}

const propagations = { 'host-to-container': 'rslave', bidirectional: 'rshared' } as const;

/** From Engine 25 on, read-only reaches what is mounted below unless told otherwise; with Kubernetes it is asked for. */
function renderBindOptions(m: Mount, knowsRecursion: boolean): object | undefined {
  const options = {
    // The engine's own choice is private as well, except where its data lies below the source (`/` for instance): it insists on slave there.
    ...(m.propagation === 'private' ? {} : { Propagation: propagations[m.propagation] }),
    ...(m.readOnly && knowsRecursion
      ? m.recursiveReadOnly === true
        ? { ReadOnlyForceRecursive: true }
        : { ReadOnlyNonRecursive: true }
      : {}),
    // The engine takes recursion only where it can promise that nothing is mounted in later.
    ...(m.recursiveReadOnly === true && m.propagation === 'private' ? { Propagation: 'rprivate' } : {}),
  };
  return Object.keys(options).length === 0 ? undefined : options;
}

export function renderMount(m: Mount, o: { readonly knowsRecursion: boolean }): MountSettings {
  const options = renderBindOptions(m, o.knowsRecursion);
  return {
    Type: 'bind',
    Source: m.hostPath,
    Target: m.containerPath,
    ReadOnly: m.readOnly,
    ...(options === undefined ? {} : { BindOptions: options as MountSettings['BindOptions'] & object }),
  };
}

/** What `renderMount` made. */
export function parseMount(m: MountSettings): Mount {
  const propagation = m.BindOptions?.Propagation;
  return {
    containerPath: m.Target,
    hostPath: m.Source,
    readOnly: m.ReadOnly ?? false,
    propagation: propagation === 'rslave' ? 'host-to-container' : propagation === 'rshared' ? 'bidirectional' : 'private',
  };
}

/** SecurityOpt lines; a Localhost seccomp profile is read from the node. */
export async function renderSecurityOptions(o: {
  seccomp: SeccompProfile;
  privileged: boolean;
  noNewPrivileges: boolean;
  apparmorProfile?: string;
  seLinux?: ContainerConfig['securityContext']['seLinux'];
}): Promise<string[]> {
  const options: string[] = [];
  if (o.noNewPrivileges) options.push('no-new-privileges');
  if (!o.privileged) {
    if (o.seccomp.type === 'Unconfined') options.push('seccomp=unconfined');
    else if (o.seccomp.type === 'Localhost') {
      const path = o.seccomp.localhostPath ?? '';
      try {
        options.push(`seccomp=${JSON.stringify(JSON.parse(await readFile(path, 'utf8')))}`);
      } catch (cause) {
        const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
        const why = missing ? `open ${path}: no such file or directory` : (cause as Error).message;
        throw new RuntimeError('invalid', `cannot load seccomp profile "${path}": ${why}`, { cause });
      }
    }
    if (o.apparmorProfile === 'unconfined') options.push('apparmor=unconfined');
    else if (o.apparmorProfile !== undefined && o.apparmorProfile !== 'runtime/default') options.push(`apparmor=${o.apparmorProfile}`);
  }
  for (const part of ['user', 'role', 'type', 'level'] as const) {
    const value = o.seLinux?.[part];
    if (value !== undefined && value !== '') options.push(`label=${part}:${value}`);
  }
  return options;
}

/** Docker's `User`: `uid[:gid]`, `name[:gid]` or '' for the image's. */
export function renderUser(s: ContainerConfig['securityContext']): string {
  const user = s.runAsUser === undefined ? (s.runAsUsername ?? '') : String(s.runAsUser);
  return s.runAsGroup === undefined ? user : `${user}:${s.runAsGroup}`;
}

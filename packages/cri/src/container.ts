import type { NamespaceMode, SeccompProfile } from './sandbox.ts';

export interface ContainerMetadata {
  readonly name: string;
  /** Restarts of this container in its pod so far. */
  readonly attempt: number;
}

export type MountPropagation = 'private' | 'host-to-container' | 'bidirectional';

export interface Mount {
  readonly containerPath: string;
  /** Path on the node, as the runtime sees it. It exists. '' where `image` says what is mounted. */
  readonly hostPath: string;
  /** The root file system of an image, or what is at `subPath` in it, always read-only. A runtime without `imageMounts` throws `invalid`. */
  readonly image?: { readonly id: string; readonly reference: string; readonly subPath?: string };
  readonly readOnly: boolean;
  /** Sub-mounts are read-only too. A runtime that can't throws `invalid`. */
  readonly recursiveReadOnly?: boolean;
  readonly propagation: MountPropagation;
}

export interface Device {
  readonly hostPath: string;
  readonly containerPath: string;
  /** Some of r, w, m. */
  readonly permissions: string;
}

/** All limits are set together, so that later updates are never refused. Absent = no limit. */
export interface ContainerResources {
  readonly cpuPeriodMicros?: number;
  readonly cpuQuotaMicros?: number;
  readonly cpuShares?: number;
  readonly memoryLimitBytes?: number;
  /** Memory plus swap; -1 is unlimited. */
  readonly memorySwapLimitBytes?: number;
  readonly oomScoreAdj?: number;
  readonly cpusetCpus?: string;
  readonly cpusetMems?: string;
  readonly pidsLimit?: number;
  /** Page size as the kernel's files spell it (`2MB`) → bytes. */
  readonly hugePageLimits?: Readonly<Record<string, number>>;
  /** cgroup v2 files to write as they are (`memory.min`, …). */
  readonly unified?: Readonly<Record<string, string>>;
}

export interface ContainerSecurityContext {
  readonly privileged: boolean;
  readonly addCapabilities: readonly string[];
  readonly dropCapabilities: readonly string[];
  readonly pid: NamespaceMode;
  /** Container whose PID namespace is joined (ephemeral containers with a target). */
  readonly targetContainerId?: string;
  readonly runAsUser?: number;
  readonly runAsUsername?: string;
  readonly runAsGroup?: number;
  readonly supplementalGroups: readonly number[];
  /** Whether the image's /etc/group adds to them; absent: `merge`. */
  readonly supplementalGroupsPolicy?: 'merge' | 'strict';
  readonly readOnlyRootFilesystem: boolean;
  readonly noNewPrivileges: boolean;
  /** /proc is neither masked nor read-only. */
  readonly unmaskedProc: boolean;
  /** Paths that are hidden, or can only be read, instead of the runtime's own lists. */
  readonly pathProtection?: { readonly masked: readonly string[]; readonly readOnly: readonly string[] };
  readonly seccomp: SeccompProfile;
  /** `runtime/default`, `unconfined`, or the name of a loaded profile. */
  readonly apparmorProfile?: string;
  readonly seLinux?: { readonly user?: string; readonly role?: string; readonly type?: string; readonly level?: string };
}

export interface ContainerConfig {
  readonly metadata: ContainerMetadata;
  /** A name or ID that `imageStatus` knows. */
  readonly image: string;
  /** The image's ID, where the runtime may not know it by the name. */
  readonly imageId?: string;
  /** Replaces the image's entrypoint (and drops its command) when not empty. */
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly workingDir?: string;
  readonly envs: readonly { readonly name: string; readonly value: string }[];
  readonly mounts: readonly Mount[];
  readonly devices: readonly Device[];
  /** Devices by their names in the runtime's CDI specifications (`vendor.com/class=name`). A runtime that can't throws `invalid`. */
  readonly cdiDevices?: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly stdin: boolean;
  readonly stdinOnce: boolean;
  readonly tty: boolean;
  /** `SIGTERM`, …; absent: the image's. */
  readonly stopSignal?: string;
  readonly resources: ContainerResources;
  readonly securityContext: ContainerSecurityContext;
}

export type ContainerState = 'created' | 'running' | 'exited' | 'unknown';

export interface Container {
  readonly id: string;
  readonly podSandboxId: string;
  readonly metadata: ContainerMetadata;
  readonly image: string;
  /** The `id` of its image, as the image service has it; absent where the runtime doesn't say. */
  readonly localImageId?: string;
  readonly state: ContainerState;
  readonly createdAtMs: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface ContainerStatus extends Container {
  /** `docker-pullable://repo@digest` or `docker://sha256:…`. */
  readonly imageId: string;
  /** 0 when it never ran. */
  readonly startedAtMs: number;
  /** 0 while it runs. */
  readonly finishedAtMs: number;
  readonly exitCode: number;
  /** `Completed`, `Error`, `OOMKilled` or `StartError` of an exited container. */
  readonly reason: string;
  readonly message: string;
  /** Process in the node's PID namespace while it runs. */
  readonly pid?: number;
  readonly resources: ContainerResources;
  /** The file that holds its log, where the runtime keeps one. */
  readonly logPath?: string;
  /** As it was created; absent where the runtime doesn't say. */
  readonly mounts?: readonly Mount[];
  /** The signal with which it asks to be stopped, as configured (`SIGTERM` when nothing was). */
  readonly stopSignal: string;
  readonly user?: { readonly uid: number; readonly gid: number; readonly supplementalGroups: readonly number[] };
}

export interface ContainerFilter {
  readonly id?: string;
  readonly podSandboxId?: string;
  readonly podUid?: string;
  readonly state?: ContainerState;
}

/** Absent: the runtime doesn't count it. */
export interface ContainerFilesystem {
  readonly usedBytes: number;
  readonly inodesUsed?: number;
}

export interface ContainerStats {
  readonly id: string;
  readonly name: string;
  readonly timestampMs: number;
  readonly cpuUsageNanoSeconds: number;
  readonly memoryUsageBytes: number;
  readonly memoryWorkingSetBytes: number;
  readonly memoryRssBytes: number;
  readonly pageFaults: number;
  readonly majorPageFaults: number;
  /** Processes and threads, where the runtime counts them. */
  readonly processCount?: number;
}

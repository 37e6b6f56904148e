/**
 * Messages of proto/runtime/v1/api.proto as they come off the wire: scalars, lists and maps always have a value, messages may be
 * null. Only what Skiff reads.
 */
export type Strings = Readonly<Record<string, string>>;
export interface Int64Value {
  readonly value: number;
}

/** What may be left out of a message that is sent. */
export type Outgoing<T> = T extends Buffer | string | number | boolean
  ? T
  : T extends readonly (infer E)[]
    ? readonly Outgoing<E>[]
    : string extends keyof T
      ? T
      : { readonly [K in keyof T]?: Outgoing<T[K]> | undefined };

export interface WireSandboxMetadata {
  readonly name: string;
  readonly uid: string;
  readonly namespace: string;
  readonly attempt: number;
}
export type WireNamespaceMode = 'POD' | 'CONTAINER' | 'NODE' | 'TARGET';
export interface WireNamespaceOption {
  readonly network: WireNamespaceMode;
  readonly pid: WireNamespaceMode;
  readonly ipc: WireNamespaceMode;
  readonly targetId: string;
}
export interface WireSecurityProfile {
  readonly profileType: 'RuntimeDefault' | 'Unconfined' | 'Localhost';
  readonly localhostRef: string;
}
export interface WireResources {
  readonly cpuPeriod: number;
  readonly cpuQuota: number;
  readonly cpuShares: number;
  readonly memoryLimitInBytes: number;
  readonly oomScoreAdj: number;
  readonly cpusetCpus: string;
  readonly cpusetMems: string;
  readonly hugepageLimits: readonly { readonly pageSize: string; readonly limit: number }[];
  readonly unified: Strings;
  readonly memorySwapLimitInBytes: number;
}
export interface WireSandboxConfig {
  readonly metadata: WireSandboxMetadata | null;
  readonly hostname: string;
  readonly logDirectory: string;
  readonly dnsConfig: {
    readonly servers: readonly string[];
    readonly searches: readonly string[];
    readonly options: readonly string[];
  } | null;
  readonly portMappings: readonly {
    readonly protocol: 'TCP' | 'UDP' | 'SCTP';
    readonly containerPort: number;
    readonly hostPort: number;
    readonly hostIp: string;
  }[];
  readonly labels: Strings;
  readonly annotations: Strings;
  readonly linux: {
    readonly cgroupParent: string;
    readonly securityContext: {
      readonly namespaceOptions: WireNamespaceOption | null;
      readonly seccomp: WireSecurityProfile | null;
      readonly privileged: boolean;
    } | null;
    readonly sysctls: Strings;
    readonly resources: WireResources | null;
  } | null;
}
export type WireSandboxState = 'SANDBOX_READY' | 'SANDBOX_NOTREADY';
export interface WireSandbox {
  readonly id: string;
  readonly metadata: WireSandboxMetadata | null;
  readonly state: WireSandboxState;
  readonly createdAt: number;
  readonly labels: Strings;
  readonly annotations: Strings;
}
export interface WireSandboxStatus extends WireSandbox {
  readonly network: { readonly ip: string; readonly additionalIps: readonly { readonly ip: string }[] } | null;
  readonly linux: { readonly namespaces: { readonly options: WireNamespaceOption | null } | null } | null;
}
export interface WireMount {
  readonly containerPath: string;
  readonly hostPath: string;
  readonly readonly: boolean;
  readonly propagation: 'PROPAGATION_PRIVATE' | 'PROPAGATION_HOST_TO_CONTAINER' | 'PROPAGATION_BIDIRECTIONAL';
  readonly recursiveReadOnly: boolean;
  readonly image: WireImageSpec | null;
  readonly imageSubPath: string;
}
export interface WireImageSpec {
  readonly image: string;
  /** As the pod spells it. */
  readonly userSpecifiedImage: string;
  /** What the image is known by, in statuses. */
  readonly imageRef: string;
}
export interface WireContainerMetadata {
  readonly name: string;
  readonly attempt: number;
}
export interface WireContainerConfig {
  readonly metadata: WireContainerMetadata | null;
  readonly image: WireImageSpec | null;
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly workingDir: string;
  readonly envs: readonly { readonly key: string; readonly value: Buffer }[];
  readonly mounts: readonly WireMount[];
  readonly devices: readonly { readonly containerPath: string; readonly hostPath: string; readonly permissions: string }[];
  readonly cdiDevices: readonly { readonly name: string }[];
  readonly labels: Strings;
  readonly annotations: Strings;
  readonly logPath: string;
  readonly stdin: boolean;
  readonly stdinOnce: boolean;
  readonly tty: boolean;
  readonly stopSignal: string;
  readonly linux: {
    readonly resources: WireResources | null;
    readonly securityContext: {
      readonly capabilities: { readonly addCapabilities: readonly string[]; readonly dropCapabilities: readonly string[] } | null;
      readonly privileged: boolean;
      readonly namespaceOptions: WireNamespaceOption | null;
      readonly selinuxOptions: { readonly user: string; readonly role: string; readonly type: string; readonly level: string } | null;
      readonly runAsUser: Int64Value | null;
      readonly runAsGroup: Int64Value | null;
      readonly runAsUsername: string;
      readonly readonlyRootfs: boolean;
      readonly supplementalGroups: readonly number[];
      readonly supplementalGroupsPolicy: 'Merge' | 'Strict';
      readonly noNewPrivs: boolean;
      readonly maskedPaths: readonly string[];
      readonly readonlyPaths: readonly string[];
      readonly seccomp: WireSecurityProfile | null;
      readonly apparmor: WireSecurityProfile | null;
    } | null;
  } | null;
}
export type WireContainerState = 'CONTAINER_CREATED' | 'CONTAINER_RUNNING' | 'CONTAINER_EXITED' | 'CONTAINER_UNKNOWN';
export interface WireContainer {
  readonly id: string;
  readonly podSandboxId: string;
  readonly metadata: WireContainerMetadata | null;
  readonly image: WireImageSpec | null;
  readonly imageRef: string;
  readonly imageId: string;
  readonly state: WireContainerState;
  readonly createdAt: number;
  readonly labels: Strings;
  readonly annotations: Strings;
}
export interface WireContainerStatus extends Omit<WireContainer, 'podSandboxId'> {
  readonly startedAt: number;
  readonly finishedAt: number;
  readonly exitCode: number;
  readonly reason: string;
  readonly message: string;
  readonly logPath: string;
  readonly mounts: readonly WireMount[];
  readonly resources: { readonly linux: WireResources | null } | null;
  readonly user: {
    readonly linux: { readonly uid: number; readonly gid: number; readonly supplementalGroups: readonly number[] } | null;
  } | null;
  readonly stopSignal: string;
}
export interface WireContainerStats {
  readonly attributes: {
    readonly id: string;
    readonly metadata: WireContainerMetadata | null;
    readonly labels: Strings;
    readonly annotations: Strings;
  } | null;
  readonly cpu: { readonly timestamp: number; readonly usageCoreNanoSeconds: Int64Value | null } | null;
  readonly memory: {
    readonly timestamp: number;
    readonly workingSetBytes: Int64Value | null;
    readonly usageBytes: Int64Value | null;
    readonly rssBytes: Int64Value | null;
    readonly pageFaults: Int64Value | null;
    readonly majorPageFaults: Int64Value | null;
  } | null;
  readonly writableLayer: { readonly usedBytes: Int64Value | null; readonly inodesUsed: Int64Value | null } | null;
}
export interface WireImage {
  readonly id: string;
  readonly repoTags: readonly string[];
  readonly repoDigests: readonly string[];
  readonly size: number;
  readonly uid: Int64Value | null;
  readonly username: string;
}
export interface WireContainerEvent {
  readonly containerId: string;
  readonly containerEventType:
    | 'CONTAINER_CREATED_EVENT'
    | 'CONTAINER_STARTED_EVENT'
    | 'CONTAINER_STOPPED_EVENT'
    | 'CONTAINER_DELETED_EVENT';
  readonly createdAt: number;
  readonly podSandboxStatus: WireSandboxStatus | null;
  readonly containersStatuses: readonly WireContainerStatus[];
}

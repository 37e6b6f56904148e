/** Whose namespace of a kind a process joins. `pod`: the sandbox's; `container`: its own; `node`: the host's. */
export type NamespaceMode = 'pod' | 'container' | 'node';

export interface NamespaceOptions {
  readonly network: 'pod' | 'node';
  readonly pid: NamespaceMode;
  readonly ipc: 'pod' | 'node';
}

export interface SeccompProfile {
  readonly type: 'RuntimeDefault' | 'Unconfined' | 'Localhost';
  /** Path of a profile on the node, for Localhost. */
  readonly localhostPath?: string;
}

export interface PodSandboxMetadata {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  /** Grows with each new sandbox of the same pod. */
  readonly attempt: number;
}

export interface PodSandboxConfig {
  readonly metadata: PodSandboxMetadata;
  /** At most 63 characters; not used when the pod is in the node's network. */
  readonly hostname: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** What its /etc/resolv.conf says; absent: what the runtime takes from the node, for containers that bring no file of their own. */
  readonly dns?: { readonly servers: readonly string[]; readonly searches: readonly string[]; readonly options: readonly string[] };
  /** Addresses that the kubelet is going to give it, primary first, for runtimes that tell others; absent on the node's network. */
  readonly addresses?: readonly string[];
  /** The RuntimeClass' handler; '' is the runtime's default. */
  readonly runtimeHandler: string;
  readonly namespaces: NamespaceOptions;
  /** Cgroup below which the sandbox and all its containers live; absent: the runtime's default. */
  readonly cgroupParent?: string;
  readonly sysctls: Readonly<Record<string, string>>;
  readonly seccomp: SeccompProfile;
  /** Privileged containers will run in it; a runtime may refuse them elsewhere. */
  readonly privileged?: boolean;
  /** -1000 to 1000; a runtime that may not lower scores uses 0 for negative ones. */
  readonly oomScoreAdj: number;
}

export type PodSandboxState = 'ready' | 'not-ready';

export interface PodSandbox {
  readonly id: string;
  readonly metadata: PodSandboxMetadata;
  readonly state: PodSandboxState;
  /** Milliseconds since the epoch. */
  readonly createdAtMs: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface PodSandboxStatus extends PodSandbox {
  readonly namespaces: NamespaceOptions;
  /** Process that holds the sandbox's namespaces, in the node's PID namespace; absent when it does not run. */
  readonly pid?: number;
}

export interface PodSandboxFilter {
  readonly id?: string;
  readonly podUid?: string;
  readonly state?: PodSandboxState;
}

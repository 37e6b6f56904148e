import type {
  Container,
  ContainerConfig,
  ContainerFilesystem,
  ContainerFilter,
  ContainerResources,
  ContainerStats,
  ContainerStatus,
} from './container.ts';
import type { ImageService } from './image.ts';
import type { PodSandbox, PodSandboxConfig, PodSandboxFilter, PodSandboxStatus } from './sandbox.ts';
import type {
  AttachRequest,
  ExecProcess,
  ExecRequest,
  ExecSyncResult,
  LogLine,
  LogOptions,
  PortForwarder,
  ProcessStreams,
} from './streams.ts';

export interface RuntimeVersion {
  /** `docker`, `containerd`: the scheme in container IDs. */
  readonly runtimeName: string;
  readonly runtimeVersion: string;
  readonly apiVersion: string;
}

export interface RuntimeStatus {
  readonly ready: boolean;
  readonly message: string;
  readonly cgroupVersion: 1 | 2;
  readonly cgroupDriver: 'cgroupfs' | 'systemd';
  /** Handlers of RuntimeClasses that can be run; '' is the default. */
  readonly handlers: readonly string[];
  readonly recursiveReadOnlyMounts: boolean;
  /** `strict` is heeded, and containers tell their user. */
  readonly supplementalGroupsPolicy: boolean;
  /** Mounts may name images; elsewhere `extractImage` is for that. */
  readonly imageMounts: boolean;
  /** Containers keep running while the runtime's daemon restarts. */
  readonly liveRestore: boolean;
  /** The daemon's process in the node's PID namespace, where it is known. */
  readonly daemonPid?: number;
}

/**
 * Something happened to a container or sandbox of a pod. Only a hint that the pod is worth a look: events may be missing, late
 * or doubled. `resync`: events may have been lost, look at every pod.
 */
export type RuntimeEvent =
  | {
      readonly type: 'created' | 'started' | 'died' | 'oom' | 'removed';
      readonly id: string;
      readonly podUid: string;
      readonly timeMs: number;
      /** Of `died`, where the runtime says so. */
      readonly exitCode?: number;
    }
  | { readonly type: 'resync' };

/**
 * The Container Runtime Interface as the kubelet uses it (upstream: cri-api runtime.v1), with times in milliseconds and the
 * streaming calls as streams rather than URLs. Contracts:
 *
 * - A runtime serves one *instance*: it lists, changes and removes only what it created under that instance's name.
 * - Stop and remove are idempotent: what is gone already is success.
 * - The runtime restarts nothing by itself.
 * - Every failure is a RuntimeError.
 */
export interface RuntimeService {
  version(): Promise<RuntimeVersion>;
  /** `ready` is the runtime's own word; one that doesn't answer is a failure. */
  status(): Promise<RuntimeStatus>;

  /**
   * Creates and starts a sandbox without network interfaces (besides lo) when it has its own network. `onCreated` is called as
   * soon as containers may be *created* in it, which may be before it runs; they may be *started* when the promise resolves.
   */
  runPodSandbox(
    config: PodSandboxConfig,
    o: { readonly signal: AbortSignal; readonly onCreated?: (id: string) => void },
  ): Promise<PodSandboxStatus>;
  /** Ends the sandbox and whatever still runs in it, at once. */
  stopPodSandbox(id: string): Promise<void>;
  /** Removes a sandbox and its containers. */
  removePodSandbox(id: string): Promise<void>;
  /** Throws `not-found`. */
  podSandboxStatus(id: string): Promise<PodSandboxStatus>;
  listPodSandbox(filter?: PodSandboxFilter): Promise<readonly PodSandbox[]>;

  createContainer(sandboxId: string, config: ContainerConfig): Promise<string>;
  /** Throws `start` when the process can't be started; the container is then `exited` with reason StartError. */
  startContainer(id: string): Promise<void>;
  /** Sends a signal to the container's first process. Not an error when it doesn't run. */
  signalContainer(id: string, signalName: string): Promise<void>;
  /** Resolves when the container doesn't run any more. Rejects with the signal's reason. */
  waitContainer(id: string, signal: AbortSignal): Promise<void>;
  /** Removes a container, killing it if it runs. */
  removeContainer(id: string): Promise<void>;
  listContainers(filter?: ContainerFilter): Promise<readonly Container[]>;
  /** Throws `not-found`. */
  containerStatus(id: string): Promise<ContainerStatus>;
  /** Changes what is present in `resources`. */
  updateContainerResources(id: string, resources: ContainerResources): Promise<void>;
  containerStats(id: string): Promise<ContainerStats | undefined>;
  /** What the container wrote to its own root filesystem. The runtime counts it for each call; undefined when it can't. */
  containerFilesystem(id: string): Promise<ContainerFilesystem | undefined>;

  /** Runs a command without input. Throws `timeout` (and ends the process where the runtime can) after `timeoutMs`. */
  execSync(
    id: string,
    command: readonly string[],
    o: { readonly timeoutMs: number; readonly signal: AbortSignal },
  ): Promise<ExecSyncResult>;
  exec(id: string, request: ExecRequest): Promise<ExecProcess>;
  attach(id: string, request: AttachRequest): Promise<ProcessStreams>;
  portForward(sandboxId: string): Promise<PortForwarder>;
  /** Ends when everything was read, or, with `follow`, when the container ended. Aborting `signal` ends it normally. */
  containerLogs(id: string, o: LogOptions & { readonly signal: AbortSignal }): AsyncIterable<LogLine>;

  /** Begins with a `resync`. Ends only when `signal` aborts; broken connections are mended inside and followed by a `resync`. */
  events(signal: AbortSignal): AsyncIterable<RuntimeEvent>;
}

export interface ContainerRuntime {
  readonly runtime: RuntimeService;
  readonly images: ImageService;
}

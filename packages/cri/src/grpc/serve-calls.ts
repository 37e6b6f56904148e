import { type Clock, childSignal } from '@skiff/component-base';
import path from 'node:path';
import type { Container, ContainerStatus } from '../container.ts';
import type { ContainerRuntime } from '../contract.ts';
import { isRuntimeError, RuntimeError } from '../runtime-error.ts';
import type { PodSandbox, PodSandboxStatus } from '../sandbox.ts';
import type { Strings, WireContainerConfig, WireContainerState, WireResources, WireSandboxConfig, WireSandboxState } from './messages.ts';
import { runtimeInfoKey } from './runtime-info.ts';
import { type ImageMounts, withImagesNamed } from './serve-image-mounts.ts';
import type { LogFiles } from './serve-logs.ts';
import type { SandboxNetwork } from './serve-network.ts';
import type { StreamingServer } from './serve-streams.ts';
import { fromWireContainerConfig, fromWireResources, fromWireState, toWireContainer, toWireContainerStatus } from './wire-container.ts';
import { fromWireSandboxConfig, toWireSandbox, toWireSandboxStatus, without } from './wire-sandbox.ts';

const prefix = 'io.skiff.served.';
const logDirectoryKey = `${prefix}log-directory`;
const logPathKey = `${prefix}log-path`;
const labelsKey = `${prefix}labels`;
const podUidLabel = 'io.kubernetes.pod.uid';
const unlimitedMs = 24 * 3600 * 1000;

export interface ServedParts {
  readonly target: ContainerRuntime;
  readonly logs: LogFiles;
  readonly streaming: StreamingServer;
  readonly clock: Clock;
  readonly imageMounts: ImageMounts;
  /** Begins to remove what no container mounts any more: that may have to wait, and a removal that was done is not to fail by it. */
  readonly sweepImages: () => void;
  /** Absent: sandboxes stay without a network, which is their user's business. */
  readonly network?: SandboxNetwork;
}
/** Answers one call; `signal` aborts when the client gave up. */
export type Call<Q = never> = (request: Q, signal: AbortSignal) => Promise<object>;

export interface Filter {
  readonly id: string;
  readonly podSandboxId?: string;
  readonly labelSelector: Strings;
}
export interface ById {
  readonly podSandboxId: string;
  readonly containerId: string;
}

type Described = { readonly labels: Strings; readonly annotations: Strings };

/** As the client wrote it. */
export const clean = <T extends Described>(o: T): T => ({ ...o, annotations: without(o.annotations, prefix) });
/** What can't be read (this server writes nothing of the kind) must not keep others from being listed. */
function keptLabels(text: string | undefined): Strings {
  try {
    const found = JSON.parse(text ?? '{}') as Strings;
    return Object.values(found).every((v) => typeof v === 'string') ? found : {};
  } catch {
    return {};
  }
}
/** A container has labels that the runtime has its own use for: they are kept among the annotations. */
export const cleanContainer = <T extends Described>(o: T): T => ({
  ...clean(o),
  labels: { ...o.labels, ...keptLabels(o.annotations[labelsKey]) },
});
export const selects = (f: Filter | null, o: PodSandbox | Container): boolean =>
  f === null || ((f.id === '' || o.id === f.id) && Object.entries(f.labelSelector).every(([k, v]) => o.labels[k] === v));
const logPathOf = (c: Container): string | undefined => c.annotations[logPathKey];

/** Where the container's log goes; known from its annotations, so that it survives a restart of the server. */
export const servedLogPath = logPathOf;

/** A container's status, with its log complete when it ended. Throws `not-found`. */
export async function servedStatus(p: ServedParts, id: string): Promise<ContainerStatus> {
  const status = await p.target.runtime.containerStatus(id);
  if (status.state === 'exited') await p.logs.settled(id);
  const logPath = logPathOf(status);
  const mounts = withImagesNamed(status.mounts ?? [], status.annotations);
  return cleanContainer({ ...status, mounts, ...(logPath === undefined ? {} : { logPath }) });
}

/** Sends the stop signal, waits as long as the client says, and kills. */
async function stopContainer(p: ServedParts, r: ById & { readonly timeout: number }, signal: AbortSignal): Promise<void> {
  const { runtime } = p.target;
  let status: ContainerStatus;
  try {
    status = await runtime.containerStatus(r.containerId);
  } catch (error) {
    if (isRuntimeError(error, 'not-found')) return;
    throw error;
  }
  if (status.state !== 'running') return;
  if (r.timeout > 0) {
    await runtime.signalContainer(r.containerId, status.stopSignal);
    using grace = childSignal(signal);
    // Longer than a timer can be: as good as for ever.
    const limit = p.clock.after(Math.min(r.timeout * 1000, 2 ** 31 - 1), () => grace.abort());
    try {
      return await runtime.waitContainer(r.containerId, grace.signal);
    } catch (error) {
      if (!grace.signal.aborted) throw error;
      signal.throwIfAborted();
    } finally {
      limit[Symbol.dispose]();
    }
  }
  await runtime.signalContainer(r.containerId, 'SIGKILL');
  await runtime.waitContainer(r.containerId, signal);
}

interface Streams {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

/** The rules of the CRI. */
function checkStreams(r: Streams): void {
  if (!r.stdin && !r.stdout && !r.stderr) throw new RuntimeError('invalid', 'one of stdin, stdout and stderr must be set');
  if (r.tty && r.stderr)
    throw new RuntimeError('invalid', 'with a terminal there is no stderr of its own: tty and stderr exclude each other');
}

async function attach(
  p: ServedParts,
  sandbox: PodSandboxStatus,
  ports: WireSandboxConfig['portMappings'],
  signal: AbortSignal,
): Promise<void> {
  if (p.network === undefined || sandbox.pid === undefined) return;
  try {
    await p.network.attach({ id: sandbox.id, pid: sandbox.pid, metadata: sandbox.metadata, ports, signal });
  } catch (error) {
    await p.target.runtime.removePodSandbox(sandbox.id);
    throw error;
  }
}

async function detach(p: ServedParts, id: string): Promise<void> {
  if (p.network === undefined) return;
  const status = await p.target.runtime.podSandboxStatus(id).catch((error: unknown) => {
    if (isRuntimeError(error, 'not-found')) return undefined;
    throw error;
  });
  await p.network.detach(id, status?.pid);
}

async function assertRunning(p: ServedParts, id: string): Promise<void> {
  const { state } = await p.target.runtime.containerStatus(id);
  if (state !== 'running') throw new RuntimeError('conflict', `container ${id} is not running`);
}

/** The RuntimeService's calls that have one answer. */
export function createRuntimeCalls(p: ServedParts): Record<string, Call> {
  const { runtime } = p.target;
  const calls = {
    Version: async () => {
      const v = await runtime.version();
      return { version: '0.1.0', runtimeName: v.runtimeName, runtimeVersion: v.runtimeVersion, runtimeApiVersion: 'v1' };
    },
    Status: async (r: { verbose: boolean }) => {
      const s = await runtime.status();
      const condition = { status: s.ready, reason: s.ready ? '' : 'RuntimeNotReady', message: s.message };
      const network = await p.network?.status();
      const places = p.network?.places;
      return {
        // Without a network of the runtime's there is none that could fail.
        status: {
          conditions: [
            { type: 'RuntimeReady', ...condition },
            network === undefined || network.ready
              ? { type: 'NetworkReady', ...condition }
              : { type: 'NetworkReady', status: false, reason: 'NetworkPluginNotReady', message: network.message },
          ],
        },
        info: r.verbose
          ? {
              [runtimeInfoKey]: JSON.stringify({ ...s, imageMounts: p.imageMounts.available }),
              ...(places === undefined
                ? {}
                : { config: JSON.stringify({ cni: { binDir: places.binDirectory, confDir: places.confDirectory } }) }),
            }
          : {},
        features: { supplementalGroupsPolicy: s.supplementalGroupsPolicy },
        runtimeHandlers: s.handlers.map((name) => ({ name, features: { recursiveReadOnlyMounts: s.recursiveReadOnlyMounts } })),
      };
    },
    RuntimeConfig: async () => ({ linux: { cgroupDriver: (await runtime.status()).cgroupDriver === 'systemd' ? 'SYSTEMD' : 'CGROUPFS' } }),
    RunPodSandbox: async (r: { config: WireSandboxConfig | null; runtimeHandler: string }, signal: AbortSignal) => {
      if (r.config === null || r.config.metadata === null)
        throw new RuntimeError('invalid', 'a sandbox needs a configuration with metadata');
      const config = fromWireSandboxConfig(r.config, r.runtimeHandler);
      const logs = r.config.logDirectory === '' ? {} : { [logDirectoryKey]: r.config.logDirectory };
      const sandbox = await runtime.runPodSandbox(
        { ...config, annotations: { ...without(config.annotations, prefix), ...logs } },
        { signal },
      );
      if (config.namespaces.network === 'pod') await attach(p, sandbox, r.config.portMappings, signal);
      return { podSandboxId: sandbox.id };
    },
    StopPodSandbox: async (r: ById) => {
      await detach(p, r.podSandboxId);
      await runtime.stopPodSandbox(r.podSandboxId);
      return {};
    },
    RemovePodSandbox: async (r: ById) => {
      await detach(p, r.podSandboxId);
      await runtime.removePodSandbox(r.podSandboxId);
      p.sweepImages();
      return {};
    },
    PodSandboxStatus: async (r: ById & { verbose: boolean }) => {
      const status = await runtime.podSandboxStatus(r.podSandboxId);
      const [ip, ...more] = (await p.network?.addresses(r.podSandboxId)) ?? [];
      const network = ip === undefined ? {} : { ip, additionalIps: more.map((address) => ({ ip: address })) };
      return {
        status: { ...toWireSandboxStatus(clean(status)), network },
        info: r.verbose ? { info: JSON.stringify({ pid: status.pid ?? 0 }) } : {},
      };
    },
    ListPodSandbox: async ({ filter: f }: { filter: (Filter & { state: { state: WireSandboxState } | null }) | null }) => {
      const podUid = f?.labelSelector[podUidLabel];
      const found = await runtime.listPodSandbox({
        ...(podUid === undefined ? {} : { podUid }),
        ...(f?.state ? { state: f.state.state === 'SANDBOX_READY' ? 'ready' : 'not-ready' } : {}),
      });
      return {
        items: found
          .map(clean)
          .filter((s) => selects(f, s))
          .map(toWireSandbox),
      };
    },

    CreateContainer: async (r: { podSandboxId: string; config: WireContainerConfig | null }, signal: AbortSignal) => {
      if (r.config === null || r.config.metadata === null)
        throw new RuntimeError('invalid', 'a container needs a configuration with metadata');
      const sandbox = await runtime.podSandboxStatus(r.podSandboxId);
      const directory = sandbox.annotations[logDirectoryKey];
      const logs = directory === undefined || r.config.logPath === '' ? {} : { [logPathKey]: path.join(directory, r.config.logPath) };
      const config = fromWireContainerConfig(r.config);
      const { runAsUser, runAsUsername, runAsGroup } = config.securityContext;
      if (runAsGroup !== undefined && runAsUser === undefined && (runAsUsername ?? '') === '')
        throw new RuntimeError('invalid', 'run_as_group needs run_as_user or run_as_username');
      const reserved = Object.fromEntries(Object.entries(config.labels).filter(([k]) => k.startsWith('io.kubernetes.')));
      const annotations = { ...without(config.annotations, prefix), ...logs, [labelsKey]: JSON.stringify(reserved) };
      const containerId = await p.imageMounts.with(
        config.mounts,
        (mounts, notes) => runtime.createContainer(r.podSandboxId, { ...config, mounts, annotations: { ...annotations, ...notes } }),
        signal,
      );
      return { containerId };
    },
    StartContainer: async (r: ById) => {
      const file = logPathOf(await runtime.containerStatus(r.containerId));
      if (file !== undefined) await p.logs.prepare(file);
      await runtime.startContainer(r.containerId);
      if (file !== undefined) p.logs.follow(r.containerId, file);
      return {};
    },
    StopContainer: (r: ById & { timeout: number }, signal: AbortSignal) => stopContainer(p, r, signal).then(() => ({})),
    RemoveContainer: async (r: ById) => {
      await runtime.removeContainer(r.containerId);
      p.sweepImages();
      return {};
    },
    ListContainers: async ({ filter: f }: { filter: (Filter & { state: { state: WireContainerState } | null }) | null }) => {
      const podUid = f?.labelSelector[podUidLabel];
      const found = await runtime.listContainers({
        ...(podUid === undefined ? {} : { podUid }),
        ...(f?.podSandboxId ? { podSandboxId: f.podSandboxId } : {}),
        ...(f?.state ? { state: fromWireState(f.state.state) } : {}),
      });
      return {
        containers: found
          .map(cleanContainer)
          .filter((c) => selects(f, c))
          .map(toWireContainer),
      };
    },
    ContainerStatus: async (r: ById) => ({ status: toWireContainerStatus(await servedStatus(p, r.containerId)) }),
    UpdateContainerResources: async (r: ById & { linux: WireResources | null }) =>
      runtime.updateContainerResources(r.containerId, fromWireResources(r.linux)).then(() => ({})),
    ReopenContainerLog: async (r: ById) => p.logs.reopen(r.containerId).then(() => ({})),

    ExecSync: async (r: ById & { cmd: readonly string[]; timeout: number }, signal: AbortSignal) =>
      runtime.execSync(r.containerId, r.cmd, { timeoutMs: r.timeout > 0 ? r.timeout * 1000 : unlimitedMs, signal }),
    Exec: async (r: ById & Streams & { cmd: readonly string[] }) => {
      checkStreams(r);
      await assertRunning(p, r.containerId);
      const { cmd: command, tty, stdin, stdout, stderr } = r;
      return { url: p.streaming.urlFor({ kind: 'exec', id: r.containerId, request: { command, tty, stdin, stdout, stderr } }) };
    },
    Attach: async (r: ById & Streams) => {
      checkStreams(r);
      await assertRunning(p, r.containerId);
      const { stdin, stdout, stderr, tty } = r;
      return { url: p.streaming.urlFor({ kind: 'attach', id: r.containerId, request: { stdin, stdout, stderr, tty } }) };
    },
    PortForward: async (r: ById & { port: readonly number[] }) => {
      const { state } = await runtime.podSandboxStatus(r.podSandboxId);
      if (state !== 'ready') throw new RuntimeError('conflict', `sandbox ${r.podSandboxId} is not running`);
      return { url: p.streaming.urlFor({ kind: 'portforward', id: r.podSandboxId, ports: r.port }) };
    },
    // The pod CIDR: addresses are the business of whoever wires the sandboxes.
    UpdateRuntimeConfig: async () => ({}),
  };
  return calls satisfies Record<string, Call>;
}

import { type Clock, childSignal } from '@skiff/component-base';
import path from 'node:path';
import type { Container, ContainerStatus } from '../container.ts';
import type { ContainerRuntime } from '../contract.ts';
import type { Image } from '../image.ts';
import { isRuntimeError, RuntimeError } from '../runtime-error.ts';
import type { PodSandbox } from '../sandbox.ts';
import type {
  Outgoing,
  Strings,
  WireContainerConfig,
  WireContainerState,
  WireImage,
  WireResources,
  WireSandboxConfig,
  WireSandboxState,
} from './messages.ts';
import { runtimeInfoKey } from './runtime-info.ts';
import type { LogFiles } from './serve-logs.ts';
import type { StreamingServer } from './serve-streams.ts';
import {
  fromWireContainerConfig,
  fromWireResources,
  fromWireState,
  toWireContainer,
  toWireContainerStatus,
  toWireStats,
} from './wire-container.ts';
import { fromWireSandboxConfig, nanosOf, toWireSandbox, toWireSandboxStatus, without } from './wire-sandbox.ts';

const prefix = 'io.skiff.served.';
const logDirectoryKey = `${prefix}log-directory`;
const logPathKey = `${prefix}log-path`;
const podUidLabel = 'io.kubernetes.pod.uid';
const unlimitedMs = 24 * 3600 * 1000;

export interface ServedParts {
  readonly target: ContainerRuntime;
  readonly logs: LogFiles;
  readonly streaming: StreamingServer;
  readonly clock: Clock;
}
/** Answers one call; `signal` aborts when the client gave up. */
export type Call<Q = never> = (request: Q, signal: AbortSignal) => Promise<object>;

interface Filter {
  readonly id: string;
  readonly podSandboxId?: string;
  readonly labelSelector: Strings;
}
interface ById {
  readonly podSandboxId: string;
  readonly containerId: string;
}

const clean = <T extends { readonly annotations: Strings }>(o: T): T => ({ ...o, annotations: without(o.annotations, prefix) });
const selects = (f: Filter | null, o: PodSandbox | Container): boolean =>
  f === null || ((f.id === '' || o.id === f.id) && Object.entries(f.labelSelector).every(([k, v]) => o.labels[k] === v));
const toWireImage = (i: Image): Outgoing<WireImage> => ({
  id: i.id,
  repoTags: i.repoTags,
  repoDigests: i.repoDigests,
  size: i.sizeBytes,
  uid: i.uid === undefined ? undefined : { value: i.uid },
  username: i.username,
});
const logPathOf = (c: Container): string | undefined => c.annotations[logPathKey];

/** Where the container's log goes; known from its annotations, so that it survives a restart of the server. */
export const servedLogPath = logPathOf;

/** A container's status, with its log complete when it ended. Throws `not-found`. */
export async function servedStatus(p: ServedParts, id: string): Promise<ContainerStatus> {
  const status = await p.target.runtime.containerStatus(id);
  if (status.state === 'exited') await p.logs.settled(id);
  const logPath = logPathOf(status);
  return clean({ ...status, ...(logPath === undefined ? {} : { logPath }) });
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
      return {
        // Sandboxes have no network of the runtime's, so there is none that could fail.
        status: {
          conditions: [
            { type: 'RuntimeReady', ...condition },
            { type: 'NetworkReady', ...condition },
          ],
        },
        info: r.verbose ? { [runtimeInfoKey]: JSON.stringify(s) } : {},
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
      const { id } = await runtime.runPodSandbox({ ...config, annotations: { ...config.annotations, ...logs } }, { signal });
      return { podSandboxId: id };
    },
    StopPodSandbox: async (r: ById) => runtime.stopPodSandbox(r.podSandboxId).then(() => ({})),
    RemovePodSandbox: async (r: ById) => runtime.removePodSandbox(r.podSandboxId).then(() => ({})),
    PodSandboxStatus: async (r: ById & { verbose: boolean }) => {
      const status = await runtime.podSandboxStatus(r.podSandboxId);
      return { status: toWireSandboxStatus(clean(status)), info: r.verbose ? { info: JSON.stringify({ pid: status.pid ?? 0 }) } : {} };
    },
    ListPodSandbox: async ({ filter: f }: { filter: (Filter & { state: { state: WireSandboxState } | null }) | null }) => {
      const podUid = f?.labelSelector[podUidLabel];
      const found = await runtime.listPodSandbox({
        ...(podUid === undefined ? {} : { podUid }),
        ...(f?.state ? { state: f.state.state === 'SANDBOX_READY' ? 'ready' : 'not-ready' } : {}),
      });
      return { items: found.filter((s) => selects(f, s)).map((s) => toWireSandbox(clean(s))) };
    },

    CreateContainer: async (r: { podSandboxId: string; config: WireContainerConfig | null }) => {
      if (r.config === null || r.config.metadata === null)
        throw new RuntimeError('invalid', 'a container needs a configuration with metadata');
      const { annotations } = await runtime.podSandboxStatus(r.podSandboxId);
      const directory = annotations[logDirectoryKey];
      const logs = directory === undefined || r.config.logPath === '' ? {} : { [logPathKey]: path.join(directory, r.config.logPath) };
      const config = fromWireContainerConfig(r.config);
      const containerId = await runtime.createContainer(r.podSandboxId, { ...config, annotations: { ...config.annotations, ...logs } });
      return { containerId };
    },
    StartContainer: async (r: ById) => {
      await runtime.startContainer(r.containerId);
      const file = logPathOf(await runtime.containerStatus(r.containerId));
      if (file !== undefined) p.logs.follow(r.containerId, file);
      return {};
    },
    StopContainer: (r: ById & { timeout: number }, signal: AbortSignal) => stopContainer(p, r, signal).then(() => ({})),
    RemoveContainer: async (r: ById) => runtime.removeContainer(r.containerId).then(() => ({})),
    ListContainers: async ({ filter: f }: { filter: (Filter & { state: { state: WireContainerState } | null }) | null }) => {
      const podUid = f?.labelSelector[podUidLabel];
      const found = await runtime.listContainers({
        ...(podUid === undefined ? {} : { podUid }),
        ...(f?.podSandboxId ? { podSandboxId: f.podSandboxId } : {}),
        ...(f?.state ? { state: fromWireState(f.state.state) } : {}),
      });
      return { containers: found.filter((c) => selects(f, c)).map((c) => toWireContainer(clean(c))) };
    },
    ContainerStatus: async (r: ById) => ({ status: toWireContainerStatus(await servedStatus(p, r.containerId)) }),
    UpdateContainerResources: async (r: ById & { linux: WireResources | null }) =>
      runtime.updateContainerResources(r.containerId, fromWireResources(r.linux)).then(() => ({})),
    ReopenContainerLog: async (r: ById) => p.logs.reopen(r.containerId).then(() => ({})),
    ContainerStats: async (r: ById) => {
      const stats = await runtime.containerStats(r.containerId);
      if (stats === undefined) throw new RuntimeError('not-found', `no statistics of container ${r.containerId}`);
      return { stats: toWireStats(stats, await runtime.containerFilesystem(r.containerId)) };
    },
    ListContainerStats: async ({ filter: f }: { filter: Filter | null }) => {
      const running = await runtime.listContainers({ state: 'running', ...(f?.podSandboxId ? { podSandboxId: f.podSandboxId } : {}) });
      const all = await Promise.all(running.filter((c) => selects(f, c)).map((c) => runtime.containerStats(c.id)));
      return { stats: all.filter((s) => s !== undefined).map((s) => toWireStats(s)) };
    },

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

/** The ImageService's calls. */
export function createImageCalls(p: ServedParts): Record<string, Call> {
  const { images } = p.target;
  interface Named {
    readonly image: { readonly image: string } | null;
  }
  interface Auth {
    readonly username: string;
    readonly password: string;
    readonly auth: string;
    readonly serverAddress: string;
    readonly identityToken: string;
  }
  const credentials = (a: Auth | null) => {
    if (a === null) return undefined;
    const [username = '', ...password] = a.auth === '' ? [a.username, a.password] : Buffer.from(a.auth, 'base64').toString().split(':');
    const identity = a.identityToken === '' ? {} : { identityToken: a.identityToken };
    return { username, password: password.join(':'), serverAddress: a.serverAddress, ...identity };
  };
  const calls = {
    ListImages: async ({ filter }: { filter: Named | null }) => {
      const name = filter?.image?.image ?? '';
      const found = name === '' ? await images.listImages() : [await images.imageStatus(name)].filter((i) => i !== undefined);
      return { images: found.map(toWireImage) };
    },
    ImageStatus: async (r: Named & { verbose: boolean }) => {
      const image = await images.imageStatus(r.image?.image ?? '');
      if (image === undefined) return {};
      const config = { Volumes: Object.fromEntries(image.volumes.map((v) => [v, {}])) };
      return { image: toWireImage(image), info: r.verbose ? { info: JSON.stringify({ imageSpec: { config } }) } : {} };
    },
    PullImage: async (r: Named & { auth: Auth | null }, signal: AbortSignal) => ({
      imageRef: (await images.pullImage(r.image?.image ?? '', credentials(r.auth), signal)).id,
    }),
    RemoveImage: async (r: Named) => {
      const image = await images.imageStatus(r.image?.image ?? '');
      if (image !== undefined) await images.removeImage(image.id);
      return {};
    },
    ImageFsInfo: async () => {
      const fs = await images.imageFilesystem();
      const usage = { timestamp: nanosOf(p.clock.now()), fsId: { mountpoint: fs.mountpoint }, usedBytes: { value: fs.usedBytes } };
      return { imageFilesystems: [usage], containerFilesystems: [usage] };
    },
  };
  return calls satisfies Record<string, Call>;
}

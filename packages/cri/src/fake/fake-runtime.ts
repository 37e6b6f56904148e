import net from 'node:net';
import type { ContainerRuntime, RuntimeEvent, RuntimeService } from '../contract.ts';
import type { PodSandboxConfig, PodSandboxStatus } from '../sandbox.ts';
import { RuntimeError } from '../runtime-error.ts';
import type { LogLine } from '../streams.ts';
import { FakeContainer, type FakeClockReader, RunningProcess } from './fake-container.ts';
import { createFakeImages, type FakeImages } from './fake-images.ts';
import { type FakeProgram, fakePrograms } from './program.ts';

interface FakeSandbox {
  readonly id: string;
  readonly config: PodSandboxConfig;
  readonly createdAtMs: number;
  ready: boolean;
}

export interface FakeRuntime extends ContainerRuntime {
  readonly images: FakeImages;
  readonly sandboxes: ReadonlyMap<string, FakeSandbox>;
  readonly containers: ReadonlyMap<string, FakeContainer>;
  /** Calls in order, as `startContainer web`. */
  readonly calls: string[];
  /** Ends a container from within. */
  exit(containerId: string, code: number, o?: { oomKilled?: boolean }): void;
  /** Next calls named here throw. */
  readonly failures: Map<string, RuntimeError>;
}

/** A ContainerRuntime in memory whose processes are the fake programs; for tests. Time comes from `clock`. */
export function createFakeRuntime(o: {
  clock: FakeClockReader;
  images?: readonly string[];
  programs?: Readonly<Record<string, FakeProgram>>;
}): FakeRuntime {
  const programs = { ...fakePrograms, ...o.programs };
  const images = createFakeImages(o.images ?? ['fake:1']);
  const sandboxes = new Map<string, FakeSandbox>();
  const containers = new Map<string, FakeContainer>();
  const calls: string[] = [];
  const failures = new Map<string, RuntimeError>();
  const listeners = new Set<(e: RuntimeEvent) => void>();
  let counter = 0;

  const newId = (): string => (++counter).toString(16).padStart(64, '0');
  const called = (name: string, subject: string): void => {
    calls.push(`${name} ${subject}`);
    const failure = failures.get(name);
    if (failure !== undefined) throw failure;
  };
  const emit = (type: Exclude<RuntimeEvent['type'], 'resync'>, id: string, podUid: string, exitCode?: number): void => {
    for (const l of listeners) l({ type, id, podUid, timeMs: o.clock.now(), ...(exitCode === undefined ? {} : { exitCode }) });
  };
  const sandboxOf = (id: string): FakeSandbox => {
    const sandbox = sandboxes.get(id);
    if (sandbox === undefined) throw new RuntimeError('not-found', `no such sandbox: ${id}`);
    return sandbox;
  };
  const containerOf = (id: string): FakeContainer => {
    const container = containers.get(id);
    if (container === undefined) throw new RuntimeError('not-found', `no such container: ${id}`);
    return container;
  };
  const uidOf = (c: FakeContainer): string => sandboxes.get(c.sandboxId)?.config.metadata.uid ?? '';
  const runningOf = (id: string): RunningProcess => {
    const c = containerOf(id);
    if (c.state !== 'running' || c.process === undefined) throw new RuntimeError('conflict', `container ${id} is not running`);
    return c.process;
  };
  const describeSandbox = (s: FakeSandbox): PodSandboxStatus => ({
    id: s.id,
    metadata: s.config.metadata,
    state: s.ready ? 'ready' : 'not-ready',
    createdAtMs: s.createdAtMs,
    labels: s.config.labels,
    annotations: s.config.annotations,
    namespaces: s.config.namespaces,
    ...(s.ready ? { pid: 1000 + Number.parseInt(s.id, 16) } : {}),
  });
  const startExec = (id: string, command: readonly string[], stdin: boolean): RunningProcess => {
    runningOf(id);
    const program = programs[command[0] ?? ''];
    const process = new RunningProcess(stdin);
    if (program === undefined) {
      process.stdout.write(`exec: "${command[0] ?? ''}": executable file not found in $PATH\n`);
      process.exit(126);
    } else process.run(program, command, containerOf(id).env);
    return process;
  };

  const runtime: RuntimeService = {
    version: async () => ({ runtimeName: 'fake', runtimeVersion: '1.0.0', apiVersion: '1.0' }),
    status: async () => ({
      ready: true,
      message: '',
      cgroupVersion: 2,
      cgroupDriver: 'cgroupfs',
      handlers: [''],
      recursiveReadOnlyMounts: false,
      supplementalGroupsPolicy: false,
      imageMounts: false,
      liveRestore: true,
    }),
    runPodSandbox: async (config, { onCreated }) => {
      called('runPodSandbox', config.metadata.name);
      if (config.runtimeHandler !== '') throw new RuntimeError('invalid', `no runtime for "${config.runtimeHandler}" is configured`);
      const sandbox: FakeSandbox = { id: newId(), config, createdAtMs: o.clock.now(), ready: true };
      sandboxes.set(sandbox.id, sandbox);
      onCreated?.(sandbox.id);
      emit('started', sandbox.id, config.metadata.uid);
      return describeSandbox(sandbox);
    },
    stopPodSandbox: async (id) => {
      calls.push(`stopPodSandbox ${id}`);
      const sandbox = sandboxes.get(id);
      if (sandbox === undefined || !sandbox.ready) return;
      for (const c of containers.values()) if (c.sandboxId === id) c.process?.signal('SIGKILL');
      sandbox.ready = false;
      emit('died', id, sandbox.config.metadata.uid);
    },
    removePodSandbox: async (id) => {
      calls.push(`removePodSandbox ${id}`);
      for (const c of containers.values()) if (c.sandboxId === id) await runtime.removeContainer(c.id);
      const sandbox = sandboxes.get(id);
      sandboxes.delete(id);
      if (sandbox !== undefined) emit('removed', id, sandbox.config.metadata.uid);
    },
    podSandboxStatus: async (id) => describeSandbox(sandboxOf(id)),
    listPodSandbox: async (filter = {}) =>
      [...sandboxes.values()]
        .map(describeSandbox)
        .filter(
          (s) =>
            (filter.id === undefined || s.id === filter.id) &&
            (filter.podUid === undefined || s.metadata.uid === filter.podUid) &&
            (filter.state === undefined || s.state === filter.state),
        ),
    createContainer: async (sandboxId, config) => {
      called('createContainer', config.metadata.name);
      sandboxOf(sandboxId);
      if ((await images.imageStatus(config.image)) === undefined) throw new RuntimeError('not-found', `no such image: ${config.image}`);
      const container = new FakeContainer({ id: newId(), sandboxId, config, clock: o.clock });
      containers.set(container.id, container);
      emit('created', container.id, uidOf(container));
      return container.id;
    },
    startContainer: async (id) => {
      const c = containerOf(id);
      called('startContainer', c.config.metadata.name);
      if (sandboxes.get(c.sandboxId)?.ready !== true) throw new RuntimeError('start', `sandbox ${c.sandboxId} is not running`);
      const name = [...c.config.command, ...c.config.args][0] ?? 'pause';
      c.start(programs[name], () => emit('died', id, uidOf(c), c.exitCode));
      emit('started', id, uidOf(c));
    },
    signalContainer: async (id, name) => {
      calls.push(`signalContainer ${containers.get(id)?.config.metadata.name ?? id} ${name}`);
      containers.get(id)?.process?.signal(name);
    },
    waitContainer: async (id, signal) => {
      const c = containers.get(id);
      if (c === undefined || c.state !== 'running') return;
      await new Promise<void>((resolve, reject) => {
        const onAbort = (): void => reject(signal.reason as Error);
        signal.addEventListener('abort', onAbort, { once: true });
        void c.process?.exited.then(() => {
          signal.removeEventListener('abort', onAbort);
          resolve();
        });
      });
    },
    removeContainer: async (id) => {
      const c = containers.get(id);
      if (c === undefined) return;
      calls.push(`removeContainer ${c.config.metadata.name}`);
      c.process?.signal('SIGKILL');
      containers.delete(id);
      emit('removed', id, uidOf(c));
    },
    listContainers: async (filter = {}) =>
      [...containers.values()]
        .filter(
          (c) =>
            (filter.id === undefined || c.id === filter.id) &&
            (filter.podSandboxId === undefined || c.sandboxId === filter.podSandboxId) &&
            (filter.podUid === undefined || uidOf(c) === filter.podUid) &&
            (filter.state === undefined || c.state === filter.state),
        )
        .map((c) => c.status()),
    containerStatus: async (id) => containerOf(id).status(),
    updateContainerResources: async (id, resources) => {
      called('updateContainerResources', id);
      const c = containerOf(id);
      c.resources = { ...c.resources, ...resources };
    },
    containerStats: async (id) => {
      const c = containerOf(id);
      return {
        id,
        name: c.config.metadata.name,
        timestampMs: o.clock.now(),
        cpuUsageNanoSeconds: 1_000_000,
        memoryUsageBytes: 1000,
        memoryWorkingSetBytes: 800,
        memoryRssBytes: 700,
        pageFaults: 0,
        majorPageFaults: 0,
      };
    },
    containerFilesystem: async (id) => ({ usedBytes: containerOf(id).writtenBytes, inodesUsed: 1 }),
    execSync: async (id, command, { timeoutMs, signal }) => {
      const process = startExec(id, command, false);
      const collect = (stream: NodeJS.ReadableStream): Buffer[] => {
        const chunks: Buffer[] = [];
        stream.on('data', (b: Buffer) => chunks.push(b));
        return chunks;
      };
      const out = collect(process.stdout);
      const err = collect(process.stderr);
      const late = new RuntimeError('timeout', `command ${JSON.stringify(command)} timed out`);
      let timer: NodeJS.Timeout | undefined;
      try {
        const exitCode = await Promise.race([
          process.exited,
          new Promise<never>((_, reject) => {
            timer = setTimeout(() => reject(late), timeoutMs);
            signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
          }),
        ]);
        await new Promise((resolve) => setImmediate(resolve));
        return { exitCode, stdout: Buffer.concat(out), stderr: Buffer.concat(err) };
      } catch (error) {
        process.signal('SIGKILL');
        throw error;
      } finally {
        clearTimeout(timer);
      }
    },
    exec: async (id, request) => {
      const process = startExec(id, request.command, request.stdin);
      return {
        ...(process.stdin === undefined ? {} : { stdin: process.stdin }),
        stdout: process.stdout,
        ...(request.tty ? {} : { stderr: process.stderr }),
        exitCode: process.exited,
        resize: async () => undefined,
        close: () => process.signal('SIGKILL'),
      };
    },
    attach: async (id, request) => {
      const main = runningOf(id);
      const c = containerOf(id);
      const view = new RunningProcess(false);
      const mirror = (stream: 'stdout' | 'stderr', chunk: Buffer): void => void view[stream].write(chunk);
      c.attached.add(mirror);
      void main.exited.then(() => view.exit(0));
      return {
        ...(request.stdin && main.stdin !== undefined ? { stdin: main.stdin } : {}),
        stdout: view.stdout,
        ...(request.tty ? {} : { stderr: view.stderr }),
        resize: async () => undefined,
        close: () => void c.attached.delete(mirror),
      };
    },
    portForward: async (sandboxId) => {
      sandboxOf(sandboxId);
      return {
        connect: (port) =>
          new Promise((resolve, reject) => {
            const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
            socket.once('connect', () => resolve(socket));
            socket.once('error', (cause) => reject(new RuntimeError('unavailable', cause.message, { cause })));
          }),
        close: () => undefined,
      };
    },
    containerLogs: (id, options) => readLog(containerOf(id), options),
    events: (signal) => followEvents(listeners, signal),
  };
  return {
    runtime,
    images,
    sandboxes,
    containers,
    calls,
    failures,
    exit: (id, code, how) => {
      const c = containerOf(id);
      c.oomKilled = how?.oomKilled ?? false;
      c.process?.exit(code);
    },
  };
}

async function* readLog(
  c: FakeContainer,
  o: { follow: boolean; tailLines?: number; sinceMs?: number; signal: AbortSignal },
): AsyncGenerator<LogLine> {
  let next = o.tailLines === undefined ? 0 : Math.max(0, c.log.length - o.tailLines);
  for (;;) {
    for (; next < c.log.length; next++) {
      const line = c.log[next];
      if (line !== undefined && (o.sinceMs === undefined || Date.parse(line.time) >= o.sinceMs)) yield line;
    }
    if (!o.follow || c.state !== 'running' || o.signal.aborted) return;
    await waitFor(c.logChanged, o.signal);
  }
}

async function* followEvents(listeners: Set<(e: RuntimeEvent) => void>, signal: AbortSignal): AsyncGenerator<RuntimeEvent> {
  const queue: RuntimeEvent[] = [{ type: 'resync' }];
  const wake = new Set<() => void>();
  const listener = (e: RuntimeEvent): void => {
    queue.push(e);
    for (const w of wake) w();
  };
  listeners.add(listener);
  try {
    while (!signal.aborted) {
      const event = queue.shift();
      if (event !== undefined) yield event;
      else await waitFor(wake, signal);
    }
  } finally {
    listeners.delete(listener);
  }
}

const waitFor = (wake: Set<() => void>, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      wake.delete(done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    wake.add(done);
    signal.addEventListener('abort', done, { once: true });
  });

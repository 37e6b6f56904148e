import { chmod, rm } from 'node:fs/promises';
import {
  Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { type Clock, childSignal, type Logger } from '@skiff/component-base';
import type { ContainerRuntime } from '../contract.ts';
import { RuntimeError } from '../runtime-error.ts';
import { loadCriDefinition } from './definition.ts';
import { createImageCalls } from './serve-image-calls.ts';
import { type Call, createRuntimeCalls, type ServedParts, servedLogPath, servedStatus } from './serve-calls.ts';
import { createImageMounts } from './serve-image-mounts.ts';
import { createLogFiles } from './serve-logs.ts';
import type { SandboxNetwork } from './serve-network.ts';
import { createStatsCalls } from './serve-stats-calls.ts';
import { startStreamingServer } from './serve-streams.ts';
import { toWireError } from './wire-error.ts';
import { toWireContainerStatus } from './wire-container.ts';
import { nanosOf, toWireSandboxStatus } from './wire-sandbox.ts';

export interface ServeRuntimeConfig {
  /** Path of the unix socket; what is there is replaced. Only its owner may use it. */
  readonly socket: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** Gives sandboxes their network; absent: that stays with the runtime's user. */
  readonly network?: SandboxNetwork;
  /** Where images are unpacked that containers mount; absent: they can't. */
  readonly imageDirectory?: string;
  readonly onListening?: () => void;
}

const eventTypes = {
  created: 'CONTAINER_CREATED_EVENT',
  started: 'CONTAINER_STARTED_EVENT',
  died: 'CONTAINER_STOPPED_EVENT',
  removed: 'CONTAINER_DELETED_EVENT',
} as const;

/**
 * Serves a container runtime as CRI v1 over gRPC, for other clients of the CRI. Resolves when `signal` aborted and everything
 * that was started has stopped; containers stay. Calls that are missing answer UNIMPLEMENTED.
 */
export async function serveRuntime(target: ContainerRuntime, config: ServeRuntimeConfig, signal: AbortSignal): Promise<void> {
  using own = childSignal(signal);
  const definition = loadCriDefinition();
  const logs = createLogFiles({ runtime: target.runtime, clock: config.clock, log: config.log, signal: own.signal });
  const streaming = await startStreamingServer(target.runtime, () => config.clock.monotonicMs());
  const { network } = config;
  const imageMounts = createImageMounts(target, config.imageDirectory);
  // One after the other: the latest is the last to end.
  let sweeping: Promise<void> = Promise.resolve();
  const sweepImages = (): void => {
    sweeping = imageMounts.sweep().catch((error: unknown) => {
      config.log.warn({ err: error }, 'could not remove images that no container mounts any more');
    });
  };
  const parts: ServedParts = {
    target,
    logs,
    streaming,
    imageMounts,
    sweepImages,
    clock: config.clock,
    ...(network === undefined ? {} : { network }),
  };
  const server = new Server({ 'grpc.max_receive_message_length': 64 * 1024 * 1024, 'grpc.max_send_message_length': 64 * 1024 * 1024 });
  server.addService(definition.RuntimeService, {
    ...handlersOf({ ...createRuntimeCalls(parts), ...createStatsCalls(parts) }, own.signal),
    GetContainerEvents: (call: ServerWritableStream<object, object>) => void streamEvents(parts, call, own.signal),
  });
  server.addService(definition.ImageService, handlersOf(createImageCalls(parts), own.signal));
  try {
    await rm(config.socket, { force: true });
    await new Promise<void>((resolve, reject) => {
      server.bindAsync(`unix://${config.socket}`, ServerCredentials.createInsecure(), (error) =>
        error === null ? resolve() : reject(error),
      );
    });
    await chmod(config.socket, 0o600);
    sweepImages();
    await resumeLogs(parts);
    config.onListening?.();
    await new Promise<void>((resolve) => {
      if (own.signal.aborted) return resolve();
      own.signal.addEventListener('abort', () => resolve(), { once: true });
    });
  } finally {
    own.abort();
    server.forceShutdown();
    streaming.close();
    await logs.stopped();
    await sweeping;
    await rm(config.socket, { force: true });
  }
}

/** Logs of containers that were started before this server. What was written meanwhile may be there twice, rather than be lost. */
async function resumeLogs(p: ServedParts): Promise<void> {
  for (const c of await p.target.runtime.listContainers({ state: 'running' })) {
    const file = servedLogPath(c);
    if (file !== undefined) p.logs.follow(c.id, file);
  }
}

function handlersOf(calls: Record<string, Call>, signal: AbortSignal): UntypedServiceImplementation {
  const serve =
    (answer: Call<object>) =>
    (call: ServerUnaryCall<object, object>, done: sendUnaryData<object>): void => {
      const child = childSignal(signal);
      call.on('cancelled', () => child.abort(new RuntimeError('timeout', 'the client gave up')));
      answer(call.request, child.signal)
        .then(
          (response) => done(null, response),
          (error: unknown) => done(toWireError(error)),
        )
        .finally(() => child[Symbol.dispose]());
    };
  return Object.fromEntries(Object.entries(calls).map(([name, answer]) => [name, serve(answer as Call<object>)]));
}

/** Ends with an error when events were lost: a client that subscribes anew knows that it has to list. */
async function streamEvents(p: ServedParts, call: ServerWritableStream<object, object>, signal: AbortSignal): Promise<void> {
  using child = childSignal(signal);
  call.on('cancelled', () => child.abort());
  const { runtime } = p.target;
  let subscribed = false;
  try {
    for await (const e of runtime.events(child.signal)) {
      if (e.type === 'resync') {
        if (subscribed) throw new RuntimeError('unavailable', 'events may have been lost');
        subscribed = true;
        call.sendMetadata(new Metadata());
        continue;
      }
      if (e.type === 'oom') continue;
      const [sandbox] = await runtime.listPodSandbox({ podUid: e.podUid });
      const containers = await runtime.listContainers({ podUid: e.podUid });
      const statuses = await Promise.all(containers.map((c) => servedStatus(p, c.id).catch(() => undefined)));
      call.write({
        containerId: e.id,
        containerEventType: eventTypes[e.type],
        createdAt: nanosOf(e.timeMs),
        podSandboxStatus: {
          metadata: { uid: e.podUid },
          ...(sandbox === undefined ? {} : toWireSandboxStatus(await runtime.podSandboxStatus(sandbox.id))),
        },
        containersStatuses: statuses.filter((s) => s !== undefined).map(toWireContainerStatus),
      });
    }
    call.end();
  } catch (error) {
    call.emit('error', toWireError(error));
  }
}

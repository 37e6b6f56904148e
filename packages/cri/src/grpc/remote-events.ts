import type { Clock } from '@skiff/component-base';
import type { RuntimeEvent } from '../contract.ts';
import type { Container } from '../container.ts';
import type { CriChannel } from './channel.ts';
import type { WireContainerEvent } from './messages.ts';
import { isUnimplemented } from './wire-error.ts';
import { millisOf } from './wire-sandbox.ts';

const types = {
  CONTAINER_CREATED_EVENT: 'created',
  CONTAINER_STARTED_EVENT: 'started',
  CONTAINER_STOPPED_EVENT: 'died',
  CONTAINER_DELETED_EVENT: 'removed',
} as const;
const relistMs = 1000;

function read(e: WireContainerEvent): RuntimeEvent {
  const type = types[e.containerEventType];
  const exitCode = e.containersStatuses.find((c) => c.id === e.containerId)?.exitCode;
  return {
    type,
    id: e.containerId,
    podUid: e.podSandboxStatus?.metadata?.uid ?? '',
    timeMs: millisOf(e.createdAt),
    ...(type === 'died' && exitCode !== undefined ? { exitCode } : {}),
  };
}

export interface EventSource {
  readonly channel: CriChannel;
  readonly clock: Clock;
  readonly list: () => Promise<readonly Container[]>;
  readonly podUidOf: (container: Container) => string;
}

/**
 * The runtime's events, or, where it has none (containerd before 1.7), what two lists a second apart differ in. A `resync`
 * comes at once and again when the runtime confirms the subscription, since events between the two may be lost.
 */
export async function* followRemoteEvents(o: EventSource, signal: AbortSignal): AsyncGenerator<RuntimeEvent> {
  yield { type: 'resync' };
  while (!signal.aborted) {
    const stream = o.channel.stream('RuntimeService', 'GetContainerEvents', {});
    const queue: RuntimeEvent[] = [];
    let wake = (): void => undefined;
    let failure: Error | undefined;
    let ended = false;
    const add = (e: RuntimeEvent): void => {
      queue.push(e);
      wake();
    };
    const stop = (): void => stream.cancel();
    stream.on('metadata', () => add({ type: 'resync' }));
    stream.on('data', (e: WireContainerEvent) => add(read(e)));
    stream.on('error', (error) => {
      failure = error;
      ended = true;
      wake();
    });
    stream.on('end', () => {
      ended = true;
      wake();
    });
    signal.addEventListener('abort', stop, { once: true });
    try {
      while (!signal.aborted && !(ended && queue.length === 0)) {
        const event = queue.shift();
        if (event !== undefined) yield event;
        else
          await new Promise<void>((resolve) => {
            wake = resolve;
            signal.addEventListener('abort', () => resolve(), { once: true });
          });
      }
    } finally {
      signal.removeEventListener('abort', stop);
      stream.cancel();
    }
    if (failure !== undefined && isUnimplemented(failure)) return yield* compareLists(o, signal);
    await o.clock.sleep(relistMs, signal).catch(() => undefined);
  }
}

async function* compareLists(o: EventSource, signal: AbortSignal): AsyncGenerator<RuntimeEvent> {
  let known: ReadonlyMap<string, Container> | undefined;
  while (!signal.aborted) {
    // While the runtime is away `status` says so; its return is a resync.
    const found = await o.list().catch(() => undefined);
    if (found === undefined) known = undefined;
    else {
      const now = new Map(found.map((c) => [c.id, c]));
      if (known === undefined) yield { type: 'resync' };
      else for (const [type, c] of differences(known, now)) yield { type, id: c.id, podUid: o.podUidOf(c), timeMs: o.clock.now() };
      known = now;
    }
    await o.clock.sleep(relistMs, signal).catch(() => undefined);
  }
}

type Change = readonly ['created' | 'started' | 'died' | 'removed', Container];

export function differences(before: ReadonlyMap<string, Container>, after: ReadonlyMap<string, Container>): Change[] {
  const found: Change[] = [];
  for (const c of after.values()) {
    const old = before.get(c.id);
    if (old?.state === c.state) continue;
    if (c.state === 'running') found.push(['started', c]);
    else if (c.state === 'exited') found.push(['died', c]);
    else if (old === undefined) found.push(['created', c]);
  }
  for (const c of before.values()) if (!after.has(c.id)) found.push(['removed', c]);
  return found;
}

import type { RuntimeEvent } from '@skiff/cri';
import type { Engine } from './engine.ts';
import { labelNames } from './labels.ts';

const kinds = { create: 'created', start: 'started', die: 'died', oom: 'oom', destroy: 'removed' } as const;

interface EngineEvent {
  readonly Action?: string;
  readonly Actor?: { readonly ID: string; readonly Attributes?: Readonly<Record<string, string>> };
  readonly timeNano?: number;
  readonly time?: number;
}

function read(line: string): RuntimeEvent | undefined {
  const event = JSON.parse(line) as EngineEvent;
  const type = kinds[event.Action as keyof typeof kinds] as (typeof kinds)[keyof typeof kinds] | undefined;
  const attributes = event.Actor?.Attributes ?? {};
  const podUid = attributes[labelNames.podUid];
  if (type === undefined || podUid === undefined || event.Actor === undefined) return undefined;
  const exitCode = attributes['exitCode'];
  return {
    type,
    id: event.Actor.ID,
    podUid,
    timeMs: event.timeNano === undefined ? (event.time ?? 0) * 1000 : Math.floor(event.timeNano / 1e6),
    ...(type === 'died' && exitCode !== undefined ? { exitCode: Number(exitCode) } : {}),
  };
}

/**
 * The engine's events of one instance. The engine replays at most 256 old ones and none across its own restart, so every new
 * connection starts with a `resync` instead of asking for what was missed.
 */
export async function* followEvents(o: {
  engine: Engine;
  instance: string;
  signal: AbortSignal;
  onDisconnect: () => void;
}): AsyncGenerator<RuntimeEvent> {
  const filters = JSON.stringify({
    type: ['container'],
    label: [`${labelNames.instance}=${o.instance}`],
    event: Object.keys(kinds),
  });
  let waitMs = 100;
  while (!o.signal.aborted) {
    try {
      const source = await o.engine.stream({ method: 'GET', path: '/events', query: { filters }, signal: o.signal });
      waitMs = 100;
      yield { type: 'resync' };
      let rest = '';
      for await (const chunk of source) {
        const lines = (rest + (chunk as Buffer).toString()).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) {
          const event = line === '' ? undefined : read(line);
          if (event !== undefined) yield event;
        }
      }
    } catch (error) {
      if (o.signal.aborted) return;
      // The engine is away; its absence shows in `status`, and coming back is followed by a resync.
      if (!(error instanceof Error)) throw error;
    }
    if (o.signal.aborted) return;
    o.onDisconnect();
    await new Promise<void>((resolve) => {
      const timer = setTimeout(done, waitMs);
      function done(): void {
        clearTimeout(timer);
        o.signal.removeEventListener('abort', done);
        resolve();
      }
      o.signal.addEventListener('abort', done, { once: true });
    });
    waitMs = Math.min(waitMs * 2, 2000);
  }
}

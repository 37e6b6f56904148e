import { isStatusError, StatusError, type KubeObject, type ResourceRef, type Status, type WatchEvent } from '@skiff/apimachinery';
import { childSignal, type Backoff, type Clock, type Logger } from '@skiff/component-base';
import type { Client, InformerOptions } from './contract.ts';

/** What a reflector keeps current. Calls come in order of revision. */
export interface ReflectorSink<T> {
  replace(objects: readonly T[], resourceVersion: string): void;
  apply(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: T): void;
  progress(resourceVersion: string): void;
}

/*
 *   start ── watch with sendInitialEvents ──▶ (initial events, bookmark) ──▶ watching
 *     │ server doesn't have it                                                │  ▲ │ end of stream, lost connection:
 *     ▼                                                                       │  └─┘ again from the last revision
 *   listing ── pages, all at one revision ───────────────────────────────────┘
 *     ▲                                                                       │
 *     └──────────── start ◀── 410 Gone, revision unknown to the server ───────┘
 */
type State = { readonly at: 'start' } | { readonly at: 'listing' } | { readonly at: 'watching'; readonly resourceVersion: string };

export interface ReflectorConfig<T extends KubeObject> {
  readonly resource: ResourceRef<T>;
  readonly options: InformerOptions;
  readonly sink: ReflectorSink<T>;
  readonly backoff?: Backoff;
  readonly pageSize?: number;
}
export interface ReflectorDependencies {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
  /** 0 to 1. */
  readonly random?: () => number;
}

export interface Reflector {
  run(signal: AbortSignal): Promise<void>;
  /** Gives up the current watch or list and starts over. */
  restart(): void;
}

const initialEventsEnd = 'k8s.io/initial-events-end';
/** A server that knows nothing of sendInitialEvents opens a plain watch and stays silent. */
const firstEventTimeoutMs = 10_000;
const shortWatchMs = 1_000;
const defaultBackoff: Backoff = { initialMs: 200, maxMs: 10_000, jitter: 1 };

const isExpired = (e: unknown): boolean =>
  isStatusError(e) && (e.code === 410 || e.details?.causes?.some((c) => c.reason === 'ResourceVersionTooLarge') === true);
const lacksWatchList = (e: unknown): boolean =>
  e instanceof WatchListSilent ||
  (isStatusError(e) && (e.reason === 'Invalid' || e.reason === 'BadRequest' || e.code === 406 || e.code === 415));

class WatchListSilent extends Error {}
class Restart extends Error {}

export function createReflector<T extends KubeObject>(config: ReflectorConfig<T>, deps: ReflectorDependencies): Reflector {
  const { resource, options, sink } = config;
  const { client, clock, log } = deps;
  const random = deps.random ?? Math.random;
  const backoff = config.backoff ?? defaultBackoff;
  const pageSize = config.pageSize ?? 500;
  const selectors = {
    ...(options.fieldSelector === undefined ? {} : { fieldSelector: options.fieldSelector }),
    ...(options.labelSelector === undefined ? {} : { labelSelector: options.labelSelector }),
    ...(options.metadataOnly === true ? { metadataOnly: true } : {}),
  };
  let watchList = true;
  let delayMs = backoff.initialMs;
  let state: State = { at: 'start' };
  let interrupt: (() => void) | undefined;

  /** Server-side timeouts are spread, so that informers don't come back all at once. */
  const timeoutSeconds = (): number => Math.round(20 * 60 * (1 + random()));
  const versionOf = (object: KubeObject): string => object.metadata?.resourceVersion ?? '';
  const errorOf = (event: WatchEvent<KubeObject>): StatusError => StatusError.fromStatus(event.object as unknown as Partial<Status>);

  /** Initial events up to the bookmark that ends them, then like any watch. */
  const watchInitial = async (signal: AbortSignal): Promise<State> => {
    using attempt = childSignal(signal);
    const silence = clock.after(firstEventTimeoutMs, () => attempt.abort(new WatchListSilent()));
    const initial = new Map<string, T>();
    let resourceVersion: string | undefined;
    try {
      const events = client.watch(resource, options.namespace, {
        ...selectors,
        sendInitialEvents: true,
        resourceVersionMatch: 'NotOlderThan',
        allowWatchBookmarks: true,
        timeoutSeconds: timeoutSeconds(),
        signal: attempt.signal,
      });
      for await (const event of events) {
        silence[Symbol.dispose]();
        if (resourceVersion !== undefined) {
          resourceVersion = consume(event);
          continue;
        }
        if (event.type === 'ERROR') throw errorOf(event);
        const key = `${event.object.metadata?.namespace ?? ''}/${event.object.metadata?.name ?? ''}`;
        if (event.type === 'DELETED') initial.delete(key);
        else if (event.type !== 'BOOKMARK') initial.set(key, event.object);
        else if (event.object.metadata?.annotations?.[initialEventsEnd] === 'true') {
          resourceVersion = versionOf(event.object);
          replace([...initial.values()], resourceVersion);
          initial.clear();
        }
      }
    } catch (error) {
      if (resourceVersion === undefined || isExpired(error) || error instanceof Restart) throw error;
      state = { at: 'watching', resourceVersion };
      throw error;
    } finally {
      silence[Symbol.dispose]();
    }
    return resourceVersion === undefined ? { at: 'start' } : { at: 'watching', resourceVersion };
  };

  const list = async (signal: AbortSignal): Promise<State> => {
    const objects: T[] = [];
    let next: string | undefined;
    let resourceVersion: string;
    do {
      const page = await client.list(resource, options.namespace, {
        ...selectors,
        limit: pageSize,
        ...(next === undefined ? {} : { continue: next }),
        signal,
      });
      for (const item of page.items) objects.push(item);
      resourceVersion = page.metadata?.resourceVersion ?? '';
      next = page.metadata?.continue;
    } while (next !== undefined && next !== '');
    replace(objects, resourceVersion);
    return { at: 'watching', resourceVersion };
  };

  const watch = async (from: string, signal: AbortSignal): Promise<State> => {
    let resourceVersion = from;
    let events = 0;
    const startedMs = clock.monotonicMs();
    try {
      const stream = client.watch(resource, options.namespace, {
        ...selectors,
        resourceVersion,
        allowWatchBookmarks: true,
        timeoutSeconds: timeoutSeconds(),
        signal,
      });
      for await (const event of stream) {
        events += 1;
        resourceVersion = consume(event);
      }
    } finally {
      state = { at: 'watching', resourceVersion };
    }
    if (events === 0 && clock.monotonicMs() - startedMs < shortWatchMs) throw new Error('the watch ended at once, without an event');
    return state;
  };

  const replace = (objects: readonly T[], resourceVersion: string): void => {
    delayMs = backoff.initialMs;
    sink.replace(objects, resourceVersion);
  };

  const consume = (event: WatchEvent<T>): string => {
    delayMs = backoff.initialMs;
    const resourceVersion = versionOf(event.object);
    if (event.type === 'ERROR') throw errorOf(event);
    if (event.type === 'BOOKMARK') sink.progress(resourceVersion);
    else sink.apply(event.type, event.object);
    return resourceVersion;
  };

  const step = (signal: AbortSignal): Promise<State> => {
    if (state.at === 'watching') return watch(state.resourceVersion, signal);
    return state.at === 'start' && watchList ? watchInitial(signal) : list(signal);
  };

  return {
    restart: () => interrupt?.(),
    run: async (signal) => {
      while (!signal.aborted) {
        using attempt = childSignal(signal);
        interrupt = () => attempt.abort(new Restart());
        try {
          state = await step(attempt.signal);
          continue;
        } catch (error) {
          if (signal.aborted) return;
          if (error instanceof Restart) {
            state = { at: 'start' };
            continue;
          }
          if (state.at === 'start' && watchList && lacksWatchList(error)) {
            watchList = false;
            continue;
          }
          if (isExpired(error)) {
            log.info({ resource: resource.plural, err: error }, 'revision is gone; listing again');
            state = { at: 'start' };
          } else {
            // Once is enough: the rest of an outage is told at debug.
            const told = { resource: resource.plural, error: error instanceof Error ? error.message : String(error), delayMs };
            log[delayMs === backoff.initialMs ? 'warn' : 'debug'](told, 'list or watch failed; trying again');
          }
        }
        try {
          await clock.sleep(delayMs * (1 + random() * (backoff.jitter ?? 0)), attempt.signal);
        } catch {
          if (signal.aborted) return;
          state = { at: 'start' };
        }
        delayMs = Math.min(delayMs * 2, backoff.maxMs);
      }
    },
  };
}

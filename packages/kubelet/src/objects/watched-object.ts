import { type DeepReadonly, hasReason, type KubeObject, type ObjectKey, type ResourceRef } from '@skiff/apimachinery';
import type { Client } from '@skiff/client';
import { childSignal, type Clock } from '@skiff/component-base';

/**
 * One object that a pod refers to, kept current by a watch on its name alone: all that a node may ask for. The first read is a
 * plain GET, since it is fast and its error is exact.
 */
export interface WatchedObject<T extends KubeObject> {
  /** undefined: there is none. Throws the API's error when it can't be read. */
  get(): Promise<DeepReadonly<T> | undefined>;
  stop(): void;
}

/** The node's right to read an object follows the pod's binding by a moment. */
const forbiddenRetriesMs = [20, 50, 100, 200, 400];
const maxDelayMs = 30_000;

export function watchObject<T extends KubeObject>(
  o: { resource: ResourceRef<T>; key: ObjectKey; onChange: () => void; signal: AbortSignal; isFinal?: (object: T) => boolean },
  deps: { client: Client; clock: Clock },
): WatchedObject<T> {
  const { client, clock } = deps;
  const child = childSignal(o.signal);
  const { signal } = child;
  let current: T | undefined;
  let known = false;
  let first: Promise<void> | undefined;

  const read = async (): Promise<void> => {
    for (let i = 0; ; i++) {
      try {
        current = await client.get(o.resource, o.key, { signal });
        known = true;
        return;
      } catch (error) {
        if (hasReason(error, 'NotFound')) {
          current = undefined;
          known = true;
          return;
        }
        const retryMs = forbiddenRetriesMs[i];
        if (!hasReason(error, 'Forbidden') || retryMs === undefined) throw error;
        await clock.sleep(retryMs, signal);
      }
    }
  };
  const change = (object: T | undefined): void => {
    if (object?.metadata?.resourceVersion === current?.metadata?.resourceVersion) return;
    current = object;
    o.onChange();
  };
  const followOnce = async (): Promise<void> => {
    const fieldSelector = `metadata.name=${o.key.name}`;
    // An object that is absent has no version to start from; the list has.
    const list = await client.list(o.resource, o.key.namespace, { fieldSelector, resourceVersion: '0', signal });
    change(list.items[0]);
    const resourceVersion = list.metadata?.resourceVersion ?? '0';
    for await (const event of client.watch(o.resource, o.key.namespace, {
      fieldSelector,
      resourceVersion,
      allowWatchBookmarks: true,
      signal,
    })) {
      if (event.type === 'ADDED' || event.type === 'MODIFIED') change(event.object);
      else if (event.type === 'DELETED') change(undefined);
      else if (event.type === 'ERROR') return;
    }
  };
  const follow = async (): Promise<void> => {
    let delayMs = 1000;
    while (!signal.aborted) {
      if (current !== undefined && o.isFinal?.(current) === true) return;
      const startedMs = clock.monotonicMs();
      // What fails here is tried again; meanwhile the last known content stands, as the API's absence must not stop pods.
      await followOnce().catch(() => undefined);
      delayMs = clock.monotonicMs() - startedMs > maxDelayMs ? 1000 : Math.min(delayMs * 2, maxDelayMs);
      await clock.sleep(delayMs * (0.5 + Math.random() / 2), signal).catch(() => undefined);
    }
  };

  return {
    get: async () => {
      if (!known) {
        first ??= read().then(
          () => void follow(),
          (error: unknown) => {
            first = undefined;
            throw error;
          },
        );
        await first;
      }
      return current as DeepReadonly<T> | undefined;
    },
    stop: () => {
      child.abort(new Error('nobody needs the object any more'));
      child[Symbol.dispose]();
    },
  };
}

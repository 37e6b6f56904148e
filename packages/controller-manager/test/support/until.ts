import type { KubeObject, ResourceRef } from '@skiff/apimachinery';
import type { Client } from '@skiff/client';
import { childSignal } from '@skiff/component-base';

/** Follows the objects of a namespace by watch until they are as told; resolves with them. */
export async function until<T extends KubeObject>(
  client: Client,
  resource: ResourceRef<T>,
  o: { namespace?: string; holds: (objects: readonly T[]) => boolean; timeoutMs?: number },
): Promise<readonly T[]> {
  using limit = childSignal(new AbortController().signal, o.timeoutMs ?? 60_000);
  const objects = new Map<string, T>();
  let complete = false;
  const key = (object: KubeObject): string => `${object.metadata?.namespace ?? ''}/${object.metadata?.name ?? ''}`;
  const events = client.watch(resource, o.namespace, {
    sendInitialEvents: true,
    resourceVersionMatch: 'NotOlderThan',
    allowWatchBookmarks: true,
    signal: limit.signal,
  });
  try {
    for await (const event of events) {
      if (event.type === 'BOOKMARK') complete = true;
      else if (event.type === 'DELETED') objects.delete(key(event.object));
      else objects.set(key(event.object), event.object);
      if (complete && o.holds([...objects.values()])) return [...objects.values()];
    }
  } catch (error) {
    if (!limit.signal.aborted) throw error;
  }
  const seen = [...objects.values()].map((object) =>
    JSON.stringify({ name: key(object), ...(object as { status?: unknown }) }, undefined, 1).slice(0, 1500),
  );
  throw new Error(`${resource.plural} did not get there in time: ${o.holds.toString()}\n${seen.join('\n')}`);
}

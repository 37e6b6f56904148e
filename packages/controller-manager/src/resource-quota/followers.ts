import type { DeepReadonly, KubeObject } from '@skiff/apimachinery';
import { createInformer, discoverResources, type Client, type DiscoveredResource, type Informer } from '@skiff/client';
import { childSignal, type ChildSignal, type Clock, type Logger } from '@skiff/component-base';

interface Follower {
  readonly informer: Informer<KubeObject>;
  readonly stop: ChildSignal;
  /** Ends when `stop` has aborted. */
  readonly done: Promise<void>;
}

/** Metadata of the objects that quotas count by number, followed only in namespaces where a quota does. */
export interface Followers {
  /** Starts and stops until exactly these resources (`group/plural`) of a namespace are followed. Resolves when they have synced. */
  follow(namespace: string, resources: ReadonlySet<string>, signal: AbortSignal): Promise<void>;
  /** The objects of a followed resource; undefined where the server has no such resource. */
  list(namespace: string, resource: string): readonly DeepReadonly<KubeObject>[] | undefined;
}

/** A resource that is not found is looked for again no sooner than this. */
const discoveryMaxAgeMs = 30_000;

export function createFollowers(o: { onDelete(namespace: string): void }, deps: { client: Client; clock: Clock; log: Logger }): Followers {
  const all = new Map<string, Follower>();
  let discovered: { readonly atMs: number; readonly resources: ReadonlyMap<string, DiscoveredResource> } | undefined;

  const resourceOf = async (id: string, signal: AbortSignal): Promise<DiscoveredResource | undefined> => {
    const known = discovered?.resources.get(id);
    const fresh = discovered !== undefined && deps.clock.monotonicMs() - discovered.atMs < discoveryMaxAgeMs;
    if (known !== undefined || fresh) return known;
    const { resources } = await discoverResources(deps.client, signal);
    discovered = { atMs: deps.clock.monotonicMs(), resources: new Map(resources.map((r) => [`${r.group}/${r.plural}`, r])) };
    return discovered.resources.get(id);
  };

  const start = (resource: DiscoveredResource, namespace: string, signal: AbortSignal): Follower => {
    const informer = createInformer<KubeObject>(resource, { namespace, metadataOnly: true }, deps);
    informer.subscribe({ onDelete: () => o.onDelete(namespace) });
    const stop = childSignal(signal);
    const done = informer.run(stop.signal).finally(() => stop[Symbol.dispose]());
    return { informer, stop, done };
  };

  return {
    async follow(namespace, resources, signal) {
      const prefix = `${namespace}|`;
      for (const [key, follower] of all) {
        if (!key.startsWith(prefix) || resources.has(key.slice(prefix.length))) continue;
        all.delete(key);
        follower.stop.abort();
      }
      const synced: Promise<void>[] = [];
      for (const id of resources) {
        const key = `${prefix}${id}`;
        let follower = all.get(key);
        if (follower === undefined) {
          const resource = await resourceOf(id, signal);
          if (resource === undefined || resource.scope !== 'Namespaced') continue;
          follower = all.get(key) ?? start(resource, namespace, signal);
          all.set(key, follower);
        }
        synced.push(Promise.race([follower.informer.synced, follower.done]));
      }
      await Promise.all(synced);
    },
    list: (namespace, resource) => all.get(`${namespace}|${resource}`)?.informer.list(namespace),
  };
}

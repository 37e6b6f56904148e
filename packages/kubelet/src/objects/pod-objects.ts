import { configMap as configMaps, secret as secrets, type ConfigMap, type Secret } from '@skiff/api';
import type { DeepReadonly, KubeObject, ResourceRef } from '@skiff/apimachinery';
import type { Client } from '@skiff/client';
import type { Clock } from '@skiff/component-base';
import type { ReferencedObjects } from '../env/environment.ts';
import { watchObject, type WatchedObject } from './watched-object.ts';

interface Shared {
  readonly object: WatchedObject<KubeObject>;
  /** UIDs of the pods that asked for it. */
  readonly users: Set<string>;
}

/** ConfigMaps and Secrets of this node's pods: each is watched once, for as long as a pod that asked for it lives. */
export interface PodObjects {
  /** The view of one pod. */
  of(podUid: string): ReferencedObjects;
  release(podUid: string): void;
}

export function createPodObjects(
  o: { onChange: (podUids: ReadonlySet<string>) => void; signal: AbortSignal },
  deps: { client: Client; clock: Clock },
): PodObjects {
  const shared = new Map<string, Shared>();

  const get = async <T extends KubeObject>(
    podUid: string,
    resource: ResourceRef<T>,
    namespace: string,
    name: string,
  ): Promise<DeepReadonly<T> | undefined> => {
    const id = `${resource.plural}/${namespace}/${name}`;
    let entry = shared.get(id);
    if (entry === undefined) {
      const users = new Set<string>();
      const object = watchObject<T>(
        {
          resource,
          key: { namespace, name },
          onChange: () => o.onChange(users),
          signal: o.signal,
          isFinal: (found) => (found as { immutable?: boolean }).immutable === true,
        },
        deps,
      );
      entry = { object: object as unknown as WatchedObject<KubeObject>, users };
      shared.set(id, entry);
    }
    entry.users.add(podUid);
    return (await entry.object.get()) as DeepReadonly<T> | undefined;
  };

  return {
    of: (podUid) => ({
      configMap: (namespace, name) => get<ConfigMap>(podUid, configMaps, namespace, name),
      secret: (namespace, name) => get<Secret>(podUid, secrets, namespace, name),
    }),
    release: (podUid) => {
      for (const [id, entry] of shared) {
        if (!entry.users.delete(podUid) || entry.users.size > 0) continue;
        entry.object.stop();
        shared.delete(id);
      }
    },
  };
}

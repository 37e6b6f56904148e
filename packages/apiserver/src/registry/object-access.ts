import type { DeepReadonly, KubeObject, ResourceDefinition } from '@skiff/apimachinery';
import { notFound } from '@skiff/apimachinery';
import { type Clock, formatTime, type Logger } from '@skiff/component-base';
import type { ObjectAccess, UserInfo } from '../contract.ts';
import type { StoredEntry } from '../storage/stored-entry.ts';
import { createObject } from './create.ts';
import { deleteObject } from './delete.ts';
import { recordUpdate } from './managed-fields.ts';
import { metadataOf } from './object-metadata.ts';
import { readEntry } from './reads.ts';
import { keyOf, type ServedResource } from './stored-resource.ts';
import { updateObject } from './update.ts';
import { prepareEntries } from './webhook-conversion.ts';
import type { WriteContext } from './write-context.ts';
import type { WriteTarget } from './write-endpoints.ts';

/** Who the server is to strategies when it writes for itself. */
const loopbackUser: UserInfo = { name: 'system:apiserver', groups: ['system:masters', 'system:authenticated'] };

export interface ObjectAccessDeps {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly log: Logger;
  served(d: ResourceDefinition): ServedResource;
  target(d: ResourceDefinition, subresource: string): WriteTarget;
}

function decodedOf(resource: ServedResource, entry: StoredEntry): KubeObject | undefined {
  const known = entry.decoded as { slot: number; object: KubeObject } | undefined;
  return known?.slot === resource.view.slot ? known.object : undefined;
}

/** Reads and writes of the server itself; decoded objects are kept on the cache's entries and shared. */
export function createObjectAccess(deps: ObjectAccessDeps): ObjectAccess {
  const context = (d: ResourceDefinition, namespace: string, subresource = ''): WriteContext => {
    const nowMs = deps.clock.now();
    return {
      ...deps.target(d, subresource),
      namespace: d.scope === 'Namespaced' ? namespace : '',
      user: loopbackUser,
      manager: 'kube-apiserver',
      dryRun: false,
      warnings: [],
      options: {},
      admission: undefined,
      guard: undefined,
      lifetime: deps,
      nowMs,
      now: formatTime(nowMs),
      memo: new Map(),
    };
  };
  const fresh = (resource: ServedResource, entry: StoredEntry): KubeObject => {
    const object = resource.view.awaits(entry)
      ? (resource.codec.webhook?.source(entry.value) as unknown as KubeObject)
      : resource.codec.parse(resource.view.formOf(entry));
    metadataOf(object).resourceVersion = String(entry.revision);
    return object;
  };
  const shared = <T extends KubeObject>(resource: ServedResource, entry: StoredEntry): DeepReadonly<T> => {
    const known = decodedOf(resource, entry);
    if (known !== undefined) return known as DeepReadonly<T>;
    const object = fresh(resource, entry);
    entry.decoded = { slot: resource.view.slot, object };
    return object as DeepReadonly<T>;
  };

  return {
    get: <T extends KubeObject>(d: ResourceDefinition<T>, namespace: string, name: string): DeepReadonly<T> | undefined => {
      const resource = deps.served(d as ResourceDefinition);
      const entry = resource.stored.cache.entries.get(keyOf(resource, namespace, name));
      return entry === undefined ? undefined : shared<T>(resource, entry);
    },
    list: <T extends KubeObject>(d: ResourceDefinition<T>, namespace = ''): readonly DeepReadonly<T>[] => {
      const resource = deps.served(d as ResourceDefinition);
      const prefix = namespace === '' ? resource.stored.prefix : `${resource.stored.prefix}${namespace}/`;
      return resource.stored.cache.entries.slice(prefix).map((e) => shared<T>(resource, e));
    },
    subscribe: <T extends KubeObject>(
      d: ResourceDefinition<T>,
      on: (key: { namespace: string; name: string }, object: DeepReadonly<T> | undefined) => void,
    ): Disposable => {
      const resource = deps.served(d as ResourceDefinition);
      const deliver = (current: StoredEntry | undefined, previous: StoredEntry | undefined): void => {
        const subject = current ?? previous;
        if (subject === undefined) return;
        try {
          const object = current === undefined ? undefined : (decodedOf(resource, current) ?? fresh(resource, current));
          on({ namespace: subject.namespace, name: subject.name }, object as DeepReadonly<T> | undefined);
        } catch (error) {
          // The log goes on for everyone else.
          deps.log.error({ err: error, key: subject.key }, 'a change could not be handed to its subscriber');
        }
      };
      return resource.stored.cache.subscribe({
        event: (e) => deliver(e.current, e.previous),
        reset: (changes) => {
          for (const e of changes) deliver(e.current, e.previous);
        },
      });
    },
    read: async <T extends KubeObject>(d: ResourceDefinition<T>, namespace: string, name: string): Promise<T | undefined> => {
      const resource = deps.served(d as ResourceDefinition);
      const entry = await readEntry(resource.stored, keyOf(resource, namespace, name));
      if (entry === undefined) return undefined;
      await prepareEntries(resource, [entry]);
      return fresh(resource, entry) as T;
    },
    create: async <T extends KubeObject>(d: ResourceDefinition<T>, object: T): Promise<T> => {
      const definition = d as ResourceDefinition;
      const resource = deps.served(definition);
      const { object: decoded } = resource.codec.decode({ value: structuredClone(object) as never });
      const w = context(definition, object.metadata?.namespace ?? '');
      return fresh(resource, await createObject(w, decoded)) as T;
    },
    update: async <T extends KubeObject>(
      d: ResourceDefinition<T>,
      namespace: string,
      name: string,
      change: (draft: T) => T | undefined,
      o?: { subresource?: string },
    ): Promise<T | undefined> => {
      const definition = d as ResourceDefinition;
      const resource = deps.served(definition);
      let declined = false;
      const w = context(definition, namespace, o?.subresource);
      const { entry } = await updateObject(w, {
        name,
        produce: (current) => {
          if (current === undefined) throw notFound({ group: d.group, resource: d.plural }, name);
          const changed = change(current.draft() as T);
          declined = changed === undefined;
          const object = changed ?? current.draft();
          if (!declined) recordUpdate(w, current.object, object);
          return object;
        },
      });
      return declined ? undefined : (fresh(resource, entry) as T);
    },
    delete: async (d, namespace, name, o) => {
      await deleteObject(context(d, namespace), name, {
        gracePeriodSeconds: 0,
        preconditions: o?.uid === undefined ? {} : { uid: o.uid },
        orphanDependents: undefined,
        propagationPolicy: undefined,
        dryRun: false,
      });
    },
  };
}

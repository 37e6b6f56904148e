import { keyOf, type DeepReadonly, type KubeObject, type ResourceRef } from '@skiff/apimachinery';
import type { Backoff, Clock, Logger } from '@skiff/component-base';
import type { Client, Informer, InformerHandler, InformerOptions } from './contract.ts';
import { ObjectStore } from './object-store.ts';
import { createReflector } from './reflector.ts';

export interface InformerDependencies {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random?: () => number;
}
export interface InformerConfig extends InformerOptions {
  /** Freezes what it hands out, so that a change of a cached object throws. For tests: it costs time. */
  readonly freeze?: boolean;
  /** managedFields are dropped unless this is set; they are often half of an object. */
  readonly keepManagedFields?: boolean;
  readonly backoff?: Backoff;
  readonly pageSize?: number;
}

function deepFreeze(value: unknown): void {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return;
  Object.freeze(value);
  for (const part of Object.values(value)) deepFreeze(part);
}

/** See Informer. Nothing is read before `run`. */
export function createInformer<T extends KubeObject>(
  resource: ResourceRef<T>,
  config: InformerConfig,
  deps: InformerDependencies,
): Informer<T> {
  const store = new ObjectStore<T>();
  const handlers = new Set<InformerHandler<T>>();
  let resourceVersion = '';
  let hasSynced = false;
  let markSynced = (): void => undefined;
  const synced = new Promise<void>((resolve) => {
    markSynced = resolve;
  });
  let relisting: { promise: Promise<void>; done: () => void } | undefined;
  let running = false;

  const prepare = (object: T): DeepReadonly<T> => {
    if (config.keepManagedFields !== true && object.metadata !== undefined) delete object.metadata.managedFields;
    if (config.freeze === true) deepFreeze(object);
    return object as DeepReadonly<T>;
  };
  const each = (notify: (h: InformerHandler<T>) => void): void => {
    for (const handler of handlers) notify(handler);
  };

  const put = (object: DeepReadonly<T>): void => {
    const old = store.set(object);
    if (old === undefined) each((h) => h.onAdd?.(object));
    else if (old.metadata?.uid !== object.metadata?.uid) {
      each((h) => h.onDelete?.(old));
      each((h) => h.onAdd?.(object));
    } else if (old.metadata?.resourceVersion !== object.metadata?.resourceVersion) each((h) => h.onUpdate?.(object, old));
  };

  const reflector = createReflector<T>(
    {
      resource,
      options: config,
      ...(config.backoff === undefined ? {} : { backoff: config.backoff }),
      ...(config.pageSize === undefined ? {} : { pageSize: config.pageSize }),
      sink: {
        replace: (objects, version) => {
          resourceVersion = version;
          const gone = new Set(store.keys());
          for (const object of objects) gone.delete(keyOf(object as DeepReadonly<KubeObject>));
          for (const key of gone) {
            const old = store.delete(key);
            if (old !== undefined) each((h) => h.onDelete?.(old));
          }
          for (const object of objects) put(prepare(object));
          hasSynced = true;
          markSynced();
          relisting?.done();
          relisting = undefined;
        },
        apply: (type, object) => {
          const prepared = prepare(object);
          resourceVersion = prepared.metadata?.resourceVersion ?? resourceVersion;
          if (type !== 'DELETED') return put(prepared);
          store.delete(keyOf(prepared));
          each((h) => h.onDelete?.(prepared));
        },
        progress: (version) => {
          resourceVersion = version;
        },
      },
    },
    deps,
  );

  return {
    resource,
    synced,
    get hasSynced() {
      return hasSynced;
    },
    get resourceVersion() {
      return resourceVersion;
    },
    get: (key) => store.get(key),
    list: (namespace) => store.list(namespace),
    byIndex: (index, value) => store.byIndex(index, value),
    addIndex: (name, valuesOf) => store.addIndex(name, valuesOf),
    subscribe: (handler) => {
      // A copy, so that one handler object may be subscribed twice.
      const own: InformerHandler<T> = { ...handler };
      handlers.add(own);
      if (own.onAdd !== undefined) for (const object of store.list()) own.onAdd(object);
      return { [Symbol.dispose]: () => void handlers.delete(own) };
    },
    relist: () => {
      if (relisting === undefined) {
        let done = (): void => undefined;
        const promise = new Promise<void>((resolve) => {
          done = resolve;
        });
        relisting = { promise, done };
        reflector.restart();
      }
      return relisting.promise;
    },
    run: async (signal) => {
      if (running) throw new Error(`the informer of ${resource.plural} is running already`);
      running = true;
      try {
        await reflector.run(signal);
      } finally {
        running = false;
      }
    },
  };
}

import { formatGroupVersion, type KubeObject, type ResourceRef } from '@skiff/apimachinery';
import { aborted } from '@skiff/component-base';
import type { Informer, InformerFactory, InformerOptions } from './contract.ts';
import { createInformer, type InformerConfig, type InformerDependencies } from './informer.ts';

/** Informers that are asked for while it runs are started at once. */
export function createInformerFactory(config: Omit<InformerConfig, keyof InformerOptions>, deps: InformerDependencies): InformerFactory {
  const informers = new Map<string, Informer<KubeObject>>();
  const running = new Set<Promise<void>>();
  let start: ((informer: Informer<KubeObject>) => void) | undefined;

  return {
    informer: <T extends KubeObject>(r: ResourceRef<T>, o: InformerOptions = {}): Informer<T> => {
      const keyFor = (metadataOnly: boolean): string =>
        JSON.stringify([formatGroupVersion(r.group, r.version), r.plural, o.namespace, o.fieldSelector, o.labelSelector, metadataOnly]);
      const key = keyFor(o.metadataOnly === true);
      const known = informers.get(key) ?? informers.get(keyFor(false));
      // The key holds the resource, so what is found under it is of T.
      if (known !== undefined) return known as unknown as Informer<T>;
      const informer = createInformer<T>(r, { ...config, ...o }, deps);
      informers.set(key, informer as unknown as Informer<KubeObject>);
      start?.(informer as unknown as Informer<KubeObject>);
      return informer;
    },
    run: async (signal) => {
      let failure: { error: unknown } | undefined;
      start = (informer) => {
        const run = informer
          .run(signal)
          .catch((error: unknown) => {
            failure ??= { error };
          })
          .finally(() => running.delete(run));
        running.add(run);
      };
      for (const informer of informers.values()) start(informer);
      await aborted(signal);
      start = undefined;
      await Promise.all(running);
      if (failure !== undefined) throw failure.error;
    },
    synced: async (signal) => {
      let known = -1;
      while (known !== informers.size) {
        signal.throwIfAborted();
        known = informers.size;
        await Promise.race([Promise.all([...informers.values()].map((i) => i.synced)), aborted(signal)]);
      }
      signal.throwIfAborted();
    },
  };
}

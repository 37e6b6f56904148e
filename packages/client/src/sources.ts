import { keyOf, parseGroupVersion, type DeepReadonly, type KubeObject, type OwnerReference, type ResourceRef } from '@skiff/apimachinery';
import type { Informer, InformerFactory, InformerHandler, InformerOptions } from './contract.ts';

export interface SourceContext {
  readonly informers: InformerFactory;
  enqueue(key: string): void;
  enqueueAfter(key: string, delayMs: number): void;
}

/** What wakes a controller, as data: changes of a resource, mapped to keys. */
export interface Source {
  readonly resource: ResourceRef;
  readonly options?: InformerOptions;
  connect(context: SourceContext): Disposable;
}

const connected = <T extends KubeObject>(
  resource: ResourceRef<T>,
  options: InformerOptions | undefined,
  handler: (context: SourceContext, informer: Informer<T>) => InformerHandler<T>,
): Source => ({
  resource,
  ...(options === undefined ? {} : { options }),
  connect: (context) => {
    const informer = context.informers.informer(resource, options);
    return informer.subscribe(handler(context, informer));
  },
});

export interface SourceFilter<T> {
  readonly options?: InformerOptions;
  /** Whether an update matters. */
  readonly changed?: (object: DeepReadonly<T>, old: DeepReadonly<T>) => boolean;
}

/** Objects of the controller's own resource, by their own key. */
export const primary = <T extends KubeObject>(resource: ResourceRef<T>, filter: SourceFilter<T> = {}): Source =>
  mapped(resource, (object) => [keyOf(object)], filter);

/** Objects that wake the keys `keysOf` gives for them, before and after a change. */
export const mapped = <T extends KubeObject>(
  resource: ResourceRef<T>,
  keysOf: (object: DeepReadonly<T>, context: SourceContext) => Iterable<string>,
  filter: SourceFilter<T> = {},
): Source =>
  connected(resource, filter.options, (context) => {
    const wake = (object: DeepReadonly<T>): void => {
      for (const key of keysOf(object, context)) context.enqueue(key);
    };
    return {
      onAdd: wake,
      onUpdate: (object, old) => {
        if (filter.changed?.(object, old) === false) return;
        wake(old);
        wake(object);
      },
      onDelete: wake,
    };
  });

export const controllerOf = (object: DeepReadonly<KubeObject>): DeepReadonly<OwnerReference> | undefined =>
  object.metadata?.ownerReferences?.find((r) => r.controller === true);

/** Whether `reference` names a kind of `owner`'s group; the version may differ. */
export const refersTo = (reference: DeepReadonly<OwnerReference>, owner: ResourceRef): boolean =>
  reference.kind === owner.kind && parseGroupVersion(reference.apiVersion).group === owner.group;

/** Children by their controller reference: they wake their owner. */
export const ownedBy = <T extends KubeObject>(owner: ResourceRef, child: ResourceRef<T>, filter: SourceFilter<T> = {}): Source =>
  mapped(
    child,
    (object) => {
      const reference = controllerOf(object);
      if (reference === undefined || !refersTo(reference, owner)) return [];
      return [owner.scope === 'Cluster' ? reference.name : `${object.metadata?.namespace ?? ''}/${reference.name}`];
    },
    filter,
  );

import type { DeepReadonly, KubeObject, ResourceDefinition } from '@skiff/apimachinery';
import type { ObjectAccess } from './contract.ts';

type Listener = (key: { namespace: string; name: string }, o: KubeObject | undefined, old: KubeObject | undefined) => void;

/** Objects in a map, with what changes them told to subscribers: for tests of what reads through ObjectAccess. */
export class FakeObjects implements ObjectAccess {
  /** Stored, but not in the cache yet. */
  unseen: KubeObject | undefined;
  readonly #kinds = new Map<ResourceDefinition, Map<string, KubeObject>>();
  readonly #listeners = new Map<ResourceDefinition, Set<Listener>>();

  put<T extends KubeObject>(d: ResourceDefinition<T>, object: T): T {
    this.#change(d as ResourceDefinition, object.metadata?.namespace ?? '', object.metadata?.name ?? '', object);
    return object;
  }
  get<T extends KubeObject>(d: ResourceDefinition<T>, namespace: string, name: string): DeepReadonly<T> | undefined {
    return this.#kinds.get(d as ResourceDefinition)?.get(`${namespace}/${name}`) as DeepReadonly<T> | undefined;
  }
  list<T extends KubeObject>(d: ResourceDefinition<T>): readonly DeepReadonly<T>[] {
    return [...(this.#kinds.get(d as ResourceDefinition)?.values() ?? [])] as unknown as readonly DeepReadonly<T>[];
  }
  subscribe<T extends KubeObject>(
    d: ResourceDefinition<T>,
    on: (key: { namespace: string; name: string }, object: DeepReadonly<T> | undefined, previous: DeepReadonly<T> | undefined) => void,
  ): Disposable {
    const listeners = this.#listeners.get(d as ResourceDefinition) ?? new Set<Listener>();
    this.#listeners.set(d as ResourceDefinition, listeners);
    const listener = on as unknown as Listener;
    listeners.add(listener);
    return { [Symbol.dispose]: () => listeners.delete(listener) };
  }
  read<T extends KubeObject>(d: ResourceDefinition<T>, namespace: string, name: string): Promise<T | undefined> {
    const late = this.unseen?.metadata?.name === name ? this.unseen : undefined;
    return Promise.resolve(structuredClone(this.get(d, namespace, name) ?? late) as T | undefined);
  }
  create<T extends KubeObject>(d: ResourceDefinition<T>, object: T): Promise<T> {
    return Promise.resolve(this.put(d, structuredClone(object)));
  }
  update<T extends KubeObject>(
    d: ResourceDefinition<T>,
    namespace: string,
    name: string,
    change: (draft: T) => T | undefined,
  ): Promise<T | undefined> {
    const changed = change(structuredClone(this.get(d, namespace, name)) as T);
    return Promise.resolve(changed === undefined ? undefined : this.put(d, changed));
  }
  delete(d: ResourceDefinition, namespace: string, name: string): Promise<void> {
    this.#change(d, namespace, name, undefined);
    return Promise.resolve();
  }
  #change(d: ResourceDefinition, namespace: string, name: string, object: KubeObject | undefined): void {
    const kind = this.#kinds.get(d) ?? new Map<string, KubeObject>();
    this.#kinds.set(d, kind);
    const old = kind.get(`${namespace}/${name}`);
    if (object === undefined) kind.delete(`${namespace}/${name}`);
    else kind.set(`${namespace}/${name}`, object);
    for (const on of this.#listeners.get(d) ?? []) on({ namespace, name }, object, old);
  }
}

import { formatKey, keyOf, type DeepReadonly, type KubeObject, type ObjectKey } from '@skiff/apimachinery';
import type { Lister } from './contract.ts';

type IndexFunction<T> = (object: DeepReadonly<T>) => readonly string[];
interface Index<T> {
  readonly valuesOf: IndexFunction<T>;
  readonly buckets: Map<string, Map<string, DeepReadonly<T>>>;
}

const namespaceIndex = ' namespace';

/** Objects by key, with indexes. Namespaces are an index as any other. */
export class ObjectStore<T extends KubeObject> implements Lister<T> {
  readonly #objects = new Map<string, DeepReadonly<T>>();
  readonly #indexes = new Map<string, Index<T>>();

  constructor() {
    this.addIndex(namespaceIndex, (o) => (o.metadata?.namespace === undefined ? [] : [o.metadata.namespace]));
  }

  get size(): number {
    return this.#objects.size;
  }
  get(key: ObjectKey): DeepReadonly<T> | undefined {
    return this.#objects.get(formatKey(key));
  }
  getByKey(key: string): DeepReadonly<T> | undefined {
    return this.#objects.get(key);
  }
  keys(): IterableIterator<string> {
    return this.#objects.keys();
  }
  list(namespace?: string): readonly DeepReadonly<T>[] {
    return namespace === undefined ? [...this.#objects.values()] : this.byIndex(namespaceIndex, namespace);
  }
  byIndex(name: string, value: string): readonly DeepReadonly<T>[] {
    const index = this.#indexes.get(name);
    if (index === undefined) throw new Error(`there is no index "${name}"`);
    const bucket = index.buckets.get(value);
    return bucket === undefined ? [] : [...bucket.values()];
  }

  addIndex(name: string, valuesOf: IndexFunction<T>): void {
    if (this.#indexes.has(name)) return;
    const index: Index<T> = { valuesOf, buckets: new Map() };
    this.#indexes.set(name, index);
    for (const [key, object] of this.#objects) insert(index, key, object);
  }

  /** Returns what was there before. */
  set(object: DeepReadonly<T>): DeepReadonly<T> | undefined {
    const key = keyOf(object);
    const old = this.#objects.get(key);
    for (const index of this.#indexes.values()) {
      if (old !== undefined) remove(index, key, old);
      insert(index, key, object);
    }
    this.#objects.set(key, object);
    return old;
  }
  delete(key: string): DeepReadonly<T> | undefined {
    const old = this.#objects.get(key);
    if (old === undefined) return undefined;
    for (const index of this.#indexes.values()) remove(index, key, old);
    this.#objects.delete(key);
    return old;
  }
}

function insert<T>(index: Index<T>, key: string, object: DeepReadonly<T>): void {
  for (const value of index.valuesOf(object)) {
    const bucket = index.buckets.get(value);
    if (bucket === undefined) index.buckets.set(value, new Map([[key, object]]));
    else bucket.set(key, object);
  }
}

function remove<T>(index: Index<T>, key: string, object: DeepReadonly<T>): void {
  for (const value of index.valuesOf(object)) {
    const bucket = index.buckets.get(value);
    if (bucket?.delete(key) === true && bucket.size === 0) index.buckets.delete(value);
  }
}

/** What the sorted structure needs to know of its elements. */
export interface Keyed {
  readonly key: string;
}

const maxChunk = 256;

/**
 * An immutable sequence sorted by key, as chunks of at most 256 elements. `with` and `without` copy one chunk and the list of chunks and
 * share the rest, so that every state can be kept by reference: a snapshot costs nothing.
 */
export class SortedEntries<T extends Keyed> {
  readonly #chunks: readonly (readonly T[])[];
  readonly size: number;

  private constructor(chunks: readonly (readonly T[])[], size: number) {
    this.#chunks = chunks;
    this.size = size;
  }

  static empty<T extends Keyed>(): SortedEntries<T> {
    return new SortedEntries<T>([], 0);
  }

  /** `sorted` must be in key order without repeats. */
  static from<T extends Keyed>(sorted: readonly T[]): SortedEntries<T> {
    const chunks: T[][] = [];
    const step = maxChunk * 0.75;
    for (let i = 0; i < sorted.length; i += step) chunks.push(sorted.slice(i, i + step));
    return new SortedEntries<T>(chunks, sorted.length);
  }

  get(key: string): T | undefined {
    const chunk = this.#chunks[this.#chunkOf(key)];
    if (chunk === undefined) return undefined;
    const found = chunk[lowerBound(chunk, key)];
    return found?.key === key ? found : undefined;
  }

  /** With `element` in the place of its key. */
  with(element: T): SortedEntries<T> {
    if (this.#chunks.length === 0) return new SortedEntries<T>([[element]], 1);
    const c = Math.min(this.#chunkOf(element.key), this.#chunks.length - 1);
    const old = this.#chunks[c] as readonly T[];
    const i = lowerBound(old, element.key);
    const replaced = old[i]?.key === element.key;
    const chunk = old.slice();
    chunk.splice(i, replaced ? 1 : 0, element);
    const chunks = this.#chunks.slice();
    if (chunk.length > maxChunk) {
      // A chunk that only ever grows at its end (names in creation order) is split unevenly, so that the left part stays full.
      const at = i === chunk.length - 1 ? chunk.length - 1 : chunk.length >> 1;
      chunks.splice(c, 1, chunk.slice(0, at), chunk.slice(at));
    } else chunks[c] = chunk;
    return new SortedEntries<T>(chunks, replaced ? this.size : this.size + 1);
  }

  without(key: string): SortedEntries<T> {
    const c = this.#chunkOf(key);
    const old = this.#chunks[c];
    if (old === undefined) return this;
    const i = lowerBound(old, key);
    if (old[i]?.key !== key) return this;
    const chunks = this.#chunks.slice();
    if (old.length === 1) chunks.splice(c, 1);
    else {
      const chunk = old.slice();
      chunk.splice(i, 1);
      const next = chunks[c + 1];
      if (next !== undefined && chunk.length + next.length < maxChunk / 2) chunks.splice(c, 2, [...chunk, ...next]);
      else chunks[c] = chunk;
    }
    return new SortedEntries<T>(chunks, this.size - 1);
  }

  /** Elements whose key begins with `prefix`, in order; with `from`, those at or behind that key. */
  *range(prefix: string, from = ''): Generator<T, void> {
    const start = from > prefix ? from : prefix;
    let c = this.#chunkOf(start);
    let i = c < this.#chunks.length ? lowerBound(this.#chunks[c] as readonly T[], start) : 0;
    for (; c < this.#chunks.length; c++, i = 0) {
      const chunk = this.#chunks[c] as readonly T[];
      for (; i < chunk.length; i++) {
        const element = chunk[i] as T;
        if (!element.key.startsWith(prefix)) return;
        yield element;
      }
    }
  }

  /** The same as an array: faster than the generator where all are wanted. */
  slice(prefix: string, from = '', limit = Infinity): T[] {
    const start = from > prefix ? from : prefix;
    const out: T[] = [];
    let c = this.#chunkOf(start);
    let i = c < this.#chunks.length ? lowerBound(this.#chunks[c] as readonly T[], start) : 0;
    for (; c < this.#chunks.length; c++, i = 0) {
      const chunk = this.#chunks[c] as readonly T[];
      for (; i < chunk.length; i++) {
        const element = chunk[i] as T;
        if (out.length >= limit || !element.key.startsWith(prefix)) return out;
        out.push(element);
      }
    }
    return out;
  }

  /** How many elements have the prefix and lie at or behind `from`. Walks chunks, not elements. */
  count(prefix: string, from = ''): number {
    return this.#rank(`${prefix}\u{10ffff}`) - this.#rank(from > prefix ? from : prefix);
  }

  /** How many elements lie before `key`. */
  #rank(key: string): number {
    const c = this.#chunkOf(key);
    let n = 0;
    for (let i = 0; i < c; i++) n += (this.#chunks[i] as readonly T[]).length;
    const chunk = this.#chunks[c];
    return chunk === undefined ? n : n + lowerBound(chunk, key);
  }

  /** The first chunk whose last key is not before `key`: where the key is or would be. */
  #chunkOf(key: string): number {
    let low = 0;
    let high = this.#chunks.length;
    while (low < high) {
      const mid = (low + high) >> 1;
      const chunk = this.#chunks[mid] as readonly T[];
      if ((chunk[chunk.length - 1] as T).key < key) low = mid + 1;
      else high = mid;
    }
    return low;
  }
}

function lowerBound<T extends Keyed>(chunk: readonly T[], key: string): number {
  let low = 0;
  let high = chunk.length;
  while (low < high) {
    const mid = (low + high) >> 1;
    if ((chunk[mid] as T).key < key) low = mid + 1;
    else high = mid;
  }
  return low;
}

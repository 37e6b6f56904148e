import type { ClusterSnapshot } from './snapshot.ts';

/** Names a piece of a cycle's state; whoever holds the key can read and write it. */
export interface StateKey<T> {
  readonly name: string;
  /** Only for the type. */
  readonly type?: T;
}

/** What plugins remember within one attempt to place one pod. */
export class CycleContext {
  readonly snapshot: ClusterSnapshot;
  readonly #values = new Map<StateKey<unknown>, unknown>();
  /** Names of plugins that said `skip` in preFilter and preScore. */
  readonly skippedFilters = new Set<string>();
  readonly skippedScores = new Set<string>();

  constructor(snapshot: ClusterSnapshot) {
    this.snapshot = snapshot;
  }

  write<T>(key: StateKey<T>, value: T): void {
    this.#values.set(key, value);
  }

  read<T>(key: StateKey<T>): T | undefined {
    return this.#values.get(key) as T | undefined;
  }

  /** Throws when nobody has written it: the plugin's own preFilter or preScore has not run. */
  require<T>(key: StateKey<T>): T {
    const value = this.read(key);
    if (value === undefined) throw new Error(`${key.name} was not computed in this cycle`);
    return value;
  }

  /** For trials on other nodes. Values are copied by `copyable` values' own `clone`, else shared. */
  clone(): CycleContext {
    const copy = new CycleContext(this.snapshot);
    for (const [key, value] of this.#values) copy.#values.set(key, isCloneable(value) ? value.clone() : value);
    for (const name of this.skippedFilters) copy.skippedFilters.add(name);
    for (const name of this.skippedScores) copy.skippedScores.add(name);
    return copy;
  }
}

interface Cloneable {
  clone(): unknown;
}
const isCloneable = (value: unknown): value is Cloneable =>
  typeof value === 'object' && value !== null && 'clone' in value && typeof value.clone === 'function';

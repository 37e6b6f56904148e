/** Numbers by topology: label key → label value → number. */
export class TopologyCounts {
  readonly #byKey = new Map<string, Map<string, number>>();

  get isEmpty(): boolean {
    return this.#byKey.size === 0;
  }

  keys(): Iterable<string> {
    return this.#byKey.keys();
  }

  get(key: string, value: string): number {
    return this.#byKey.get(key)?.get(value) ?? 0;
  }

  /** A number that comes to 0 counts as not there. */
  add(key: string, value: string, amount: number): void {
    const values = this.#byKey.get(key) ?? new Map<string, number>();
    const sum = (values.get(value) ?? 0) + amount;
    if (sum === 0) values.delete(value);
    else values.set(value, sum);
    if (values.size === 0) this.#byKey.delete(key);
    else this.#byKey.set(key, values);
  }

  clone(): TopologyCounts {
    const copy = new TopologyCounts();
    for (const [key, values] of this.#byKey) copy.#byKey.set(key, new Map(values));
    return copy;
  }
}

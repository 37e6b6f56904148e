/** What one plugin that calls others (webhooks, policies) remembers from the first round of mutation to the second. */
export class CalledBefore {
  readonly #called = new Set<string>();
  readonly #due = new Set<string>();
  #output: string | undefined;

  /** Someone changed the object: whoever was called so far, and asked for it, is called again in the next round. */
  makeDue(): void {
    for (const key of this.#called) this.#due.add(key);
    this.#called.clear();
  }

  /** `key` was called, and wants to be again should the object change. */
  add(key: string): void {
    this.#called.add(key);
  }

  isDue(key: string): boolean {
    return this.#due.has(key);
  }

  /** At the start of a second round: what others did to the object since this plugin had its turn counts as a change. */
  compare(object: unknown): void {
    if (this.#called.size > 0 && JSON.stringify(object) !== this.#output) this.makeDue();
  }

  /** At the end of the plugin's turn. */
  remember(object: unknown): void {
    this.#output = this.#called.size > 0 ? JSON.stringify(object) : undefined;
  }
}

/** All mutating plugins run once, and once more where one of those that call others changed the object. */
export class MutationRounds {
  #again = false;
  #wanted = false;
  readonly #memories = new Map<string, CalledBefore>();

  /** This is the second round. */
  get again(): boolean {
    return this.#again;
  }

  /** There is to be a second round; in the second it is too late. */
  wantAnother(): void {
    this.#wanted = true;
  }

  memoryOf(plugin: string): CalledBefore {
    let memory = this.#memories.get(plugin);
    if (memory === undefined) {
      memory = new CalledBefore();
      this.#memories.set(plugin, memory);
    }
    return memory;
  }

  /** True: the second round begins. */
  next(): boolean {
    if (this.#again || !this.#wanted) return false;
    this.#again = true;
    return true;
  }
}

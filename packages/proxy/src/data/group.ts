import type { BackendGroup } from '../table/types.ts';
import { Picker, type PickerDeps } from './picker.ts';
import type { GroupStats } from './protocol.ts';

/** A group of the table with what runs on it. It outlives its place in the table for as long as connections refer to it. */
export class ServedGroup {
  readonly picker: Picker;
  connections = 0;
  open = 0;
  retries = 0;
  failures = 0;
  bytesIn = 0;
  bytesOut = 0;
  constructor(group: BackendGroup, isDraining: (address: string) => boolean, deps: PickerDeps) {
    this.picker = new Picker(group, isDraining, deps);
  }
  stats(): GroupStats {
    const { connections, open, retries, failures, bytesIn, bytesOut } = this;
    return { connections, open, retries, failures, bytesIn, bytesOut };
  }
}

/** How many connections are open to each endpoint address: what a drain waits for. */
export class OpenByAddress {
  readonly #counts = new Map<string, number>();
  readonly #waiting = new Map<string, Set<() => void>>();

  count(address: string): number {
    return this.#counts.get(address) ?? 0;
  }
  opened(address: string): void {
    this.#counts.set(address, this.count(address) + 1);
  }
  closed(address: string): void {
    const left = this.count(address) - 1;
    if (left > 0) {
      this.#counts.set(address, left);
      return;
    }
    this.#counts.delete(address);
    const waiting = this.#waiting.get(address);
    this.#waiting.delete(address);
    for (const done of waiting ?? []) done();
  }
  /** Resolves with the number of connections still open: 0, or what there is after `timeoutMs`. */
  drained(address: string, timeoutMs: number): Promise<number> {
    if (this.count(address) === 0 || timeoutMs <= 0) return Promise.resolve(this.count(address));
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#waiting.get(address)?.delete(done);
        resolve(this.count(address));
      };
      const timer = setTimeout(done, timeoutMs);
      const waiting = this.#waiting.get(address) ?? new Set();
      waiting.add(done);
      this.#waiting.set(address, waiting);
    });
  }
}

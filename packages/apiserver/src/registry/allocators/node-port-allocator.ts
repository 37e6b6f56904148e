import type { RevisionedStore } from '@skiff/storage';
import { protobufBodies } from '../../request/protobuf-body.ts';
import { AllocationError, rangeIsFull } from './ip-allocator.ts';

const alreadyAllocated = 'provided port is already allocated';
const maxAttempts = 32;
const openBrace = 0x7b;

export interface PortRange {
  /** Inclusive. */
  readonly from: number;
  readonly to: number;
}

/** What is stored: upstream's RangeAllocation, with a bit for each port. */
interface RangeState {
  readonly bits: Uint8Array;
  /** Revision of the stored object; 0 = there is none. */
  readonly revision: number;
}

/**
 * Gives node ports out of a bitmap in the store, where upstream keeps it. Every change is a compare-and-set, so that any number of
 * apiservers share it; within one process changes queue up behind each other instead of racing.
 */
export class NodePortAllocator {
  readonly range: PortRange;
  readonly #store: RevisionedStore;
  readonly #key: string;
  readonly #random: () => number;
  #queue: Promise<unknown> = Promise.resolve();
  /** The last state that this process has seen. */
  #seen: RangeState | undefined;

  constructor(range: PortRange, deps: { store: RevisionedStore; key: string; random?: () => number }) {
    this.range = range;
    this.#store = deps.store;
    this.#key = deps.key;
    this.#random = deps.random ?? Math.random;
  }

  /** Takes this port. Throws AllocationError in upstream's words. */
  async allocate(port: number, dryRun: boolean): Promise<void> {
    if (port < this.range.from || port > this.range.to) {
      throw new AllocationError(`provided port is not in the valid range. The range of valid ports is ${this.range.from}-${this.range.to}`);
    }
    await this.#change((bits) => {
      if (isSet(bits, port - this.range.from)) throw new AllocationError(alreadyAllocated);
      set(bits, port - this.range.from);
    }, dryRun);
  }

  /** Takes a free port that is none of `except`. Throws AllocationError when there is none. */
  async allocateNext(dryRun: boolean, except: ReadonlySet<number> = new Set()): Promise<number> {
    let port = 0;
    await this.#change((bits) => {
      port = this.#findFree(bits, except);
      set(bits, port - this.range.from);
    }, dryRun);
    return port;
  }

  async release(ports: readonly number[]): Promise<void> {
    const inRange = ports.filter((p) => p >= this.range.from && p <= this.range.to);
    if (inRange.length === 0) return;
    await this.#change((bits) => {
      for (const port of inRange) clear(bits, port - this.range.from);
    }, false);
  }

  /** Sets and clears what `repair` says of the current state; nothing is written when nothing changes. */
  async repair(change: (isTaken: (port: number) => boolean) => { take: readonly number[]; free: readonly number[] }): Promise<void> {
    await this.#change((bits) => {
      const { take, free } = change((port) => isSet(bits, port - this.range.from));
      for (const port of take) set(bits, port - this.range.from);
      for (const port of free) clear(bits, port - this.range.from);
    }, false);
  }

  /** The lower ports are left to those who ask for one by number (KEP-3668); picked ones come from above while there are. */
  #findFree(bits: Uint8Array, except: ReadonlySet<number>): number {
    const size = this.range.to - this.range.from + 1;
    const band = size <= 16 ? 0 : Math.min(Math.max(16, Math.floor(size / 32)), 128);
    for (const [first, count] of [[band, size - band] as const, [0, band] as const]) {
      const offset = Math.floor(this.#random() * count);
      for (let i = 0; i < count; i++) {
        const at = first + ((offset + i) % count);
        if (!isSet(bits, at) && !except.has(this.range.from + at)) return this.range.from + at;
      }
    }
    throw new AllocationError(rangeIsFull);
  }

  #change(change: (bits: Uint8Array) => void, dryRun: boolean): Promise<void> {
    const run = this.#queue.then(() => this.#compareAndSet(change, dryRun));
    this.#queue = run.catch(() => undefined);
    return run;
  }

  async #compareAndSet(change: (bits: Uint8Array) => void, dryRun: boolean): Promise<void> {
    let state = this.#seen ?? (await this.#read());
    let confirmed = this.#seen === undefined;
    for (let attempt = 0; attempt < maxAttempts; attempt++) {
      const bits = state.bits.slice();
      try {
        change(bits);
      } catch (error) {
        // Another apiserver may have freed it since.
        if (confirmed) throw error;
        state = await this.#read();
        confirmed = true;
        continue;
      }
      if (dryRun || Buffer.compare(bits, state.bits) === 0) return;
      const result = await this.#store.put(this.#key, this.#encode(bits), { expected: state.revision });
      if (result.outcome === 'committed') {
        this.#seen = { bits, revision: result.revision };
        return;
      }
      state = result.current === undefined ? this.#empty() : this.#decode(result.current.value, result.current.revision);
      this.#seen = state;
      confirmed = true;
    }
    throw new AllocationError('too many concurrent allocations of node ports');
  }

  async #read(): Promise<RangeState> {
    const { entry } = await this.#store.get(this.#key);
    this.#seen = entry === undefined ? this.#empty() : this.#decode(entry.value, entry.revision);
    return this.#seen;
  }

  #empty(): RangeState {
    return { bits: new Uint8Array(Math.ceil((this.range.to - this.range.from + 1) / 8)), revision: 0 };
  }

  /** upstream's big.Int bytes: the lowest port is the lowest bit of the last byte. */
  #encode(bits: Uint8Array): Buffer {
    const bytes = Buffer.from(bits).reverse();
    const first = bytes.findIndex((b) => b !== 0);
    const data = (first < 0 ? Buffer.alloc(0) : bytes.subarray(first)).toString('base64');
    const range = `${this.range.from}-${this.range.to}`;
    return Buffer.from(JSON.stringify({ kind: 'RangeAllocation', apiVersion: 'v1', metadata: { creationTimestamp: null }, range, data }));
  }

  #decode(value: Buffer, revision: number): RangeState {
    // Upstream writes it as protobuf.
    const isJson = value[0] === openBrace;
    const stored = (isJson ? JSON.parse(value.toString('utf8')) : protobufBodies.decodeObject(value)) as { range?: string; data?: string };
    const { bits } = this.#empty();
    const from = Number((stored.range ?? '').split('-')[0]);
    const bytes = Buffer.from(stored.data ?? '', 'base64').reverse();
    // After a change of the configured range the ports in both are kept.
    for (let i = 0; i < bytes.length * 8; i++) {
      const at = from + i - this.range.from;
      if (isSet(bytes, i) && at >= 0 && at <= this.range.to - this.range.from) set(bits, at);
    }
    return { bits, revision };
  }
}

const isSet = (bits: Uint8Array, at: number): boolean => ((bits[at >> 3] ?? 0) & (1 << (at & 7))) !== 0;
const set = (bits: Uint8Array, at: number): void => {
  bits[at >> 3] = (bits[at >> 3] ?? 0) | (1 << (at & 7));
};
const clear = (bits: Uint8Array, at: number): void => {
  bits[at >> 3] = (bits[at >> 3] ?? 0) & ~(1 << (at & 7));
};

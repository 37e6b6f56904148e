import type { Clock } from '@skiff/component-base';
import type { Etcd3 } from 'etcd3';

const maxKeys = 1000;
const maxReuseSeconds = 60;

interface SharedLease {
  readonly id: Promise<string>;
  readonly reusableUntilMs: number;
  keys: number;
}

/**
 * One etcd lease serves many keys of the same time to live, for 5 % of that time (one second at least, a minute at most) and up
 * to 1000 keys, since a lease for each Event costs etcd more than the Event. Keys live at least as long as asked, at most that
 * much longer.
 */
export class SharedLeases {
  readonly #etcd: () => Promise<Etcd3>;
  readonly #clock: Clock;
  readonly #byTtl = new Map<number, SharedLease>();

  constructor(etcd: () => Promise<Etcd3>, clock: Clock) {
    this.#etcd = etcd;
    this.#clock = clock;
  }

  leaseFor(ttlSeconds: number): Promise<string> {
    const nowMs = this.#clock.monotonicMs();
    const shared = this.#byTtl.get(ttlSeconds);
    if (shared !== undefined && shared.keys < maxKeys && nowMs < shared.reusableUntilMs) {
      shared.keys++;
      return shared.id;
    }
    const reuseSeconds = Math.min(maxReuseSeconds, Math.max(1, Math.floor(ttlSeconds / 20)));
    const fresh: SharedLease = {
      id: this.#grant(ttlSeconds + reuseSeconds),
      reusableUntilMs: nowMs + reuseSeconds * 1000,
      keys: 1,
    };
    this.#byTtl.set(ttlSeconds, fresh);
    fresh.id.catch(() => this.#forget(ttlSeconds, fresh));
    return fresh.id;
  }

  /** After etcd said that the lease is gone. */
  async drop(ttlSeconds: number, id: string): Promise<void> {
    const shared = this.#byTtl.get(ttlSeconds);
    if (shared !== undefined && (await shared.id) === id) this.#forget(ttlSeconds, shared);
  }

  async #grant(ttlSeconds: number): Promise<string> {
    const etcd = await this.#etcd();
    const { ID } = await etcd.leaseClient.leaseGrant({ TTL: ttlSeconds });
    return ID;
  }

  #forget(ttlSeconds: number, shared: SharedLease): void {
    if (this.#byTtl.get(ttlSeconds) === shared) this.#byTtl.delete(ttlSeconds);
  }
}

import type { Allowance } from './taints.ts';

interface Stay {
  readonly uid: string;
  /** Cause → since when it counts, monotonic milliseconds. */
  readonly since: ReadonlyMap<string, number>;
}

/**
 * How long pods have been on tainted nodes, counted from when this process first saw both, as upstream does. The taints' own
 * `timeAdded` is not asked: another machine's clock wrote it, and a clock that jumps must evict nobody.
 */
export class StayClock {
  readonly #stays = new Map<string, Stay>();

  /** `reprieved`: the pod was to leave later and no longer is. */
  update(
    id: string,
    o: { readonly uid: string; readonly allowances: readonly Allowance[]; readonly nowMs: number },
  ): { readonly leaveAtMs: number | undefined; readonly reprieved: boolean } {
    const before = this.#stays.get(id);
    const known = before?.uid === o.uid ? before.since : undefined;
    if (o.allowances.length === 0) {
      this.#stays.delete(id);
      return { leaveAtMs: undefined, reprieved: known !== undefined };
    }
    const since = new Map(o.allowances.map(({ cause }) => [cause, known?.get(cause) ?? o.nowMs]));
    this.#stays.set(id, { uid: o.uid, since });
    return { leaveAtMs: Math.min(...o.allowances.map((a) => (since.get(a.cause) ?? o.nowMs) + a.ms)), reprieved: false };
  }
  forget(id: string): void {
    this.#stays.delete(id);
  }
}

import { allocationOf, type Resources, withAllocation } from '../actions/compute-resize.ts';
import type { StatusInput } from '../status/generate-status.ts';
import { sameJson } from '../status/status-patch.ts';
import type { PodContext } from './pod-context.ts';
import type { PodSnapshot } from './pod-snapshot.ts';

/** How often room is looked for again for a pod that is to grow. */
const retryMs = 10_000;

/** What the node has granted to one pod: its first resources always, later ones where there is room (KEP-1287). */
export class ResourceGrant {
  readonly #granted = new Map<string, Resources>();
  #pending: StatusInput['resize'];

  /** The condition of a change that could not be granted. */
  get pending(): StatusInput['resize'] {
    return this.#pending;
  }
  /** The pod with the resources that it has. */
  current(pod: PodSnapshot): PodSnapshot {
    return this.#granted.size === 0 ? pod : withAllocation(pod, this.#granted);
  }
  /** Grants what the spec asks for by now, if it can be. `retryAt` is told when to ask again. */
  apply(pod: PodSnapshot, context: Pick<PodContext, 'fits' | 'event' | 'clock'>, retryAt: (atMs: number) => void): PodSnapshot {
    const wanted = allocationOf(pod);
    const changed = [...wanted].some(([name, r]) => this.#granted.has(name) && !sameJson(this.#granted.get(name), r));
    const refusal = changed ? context.fits(pod) : undefined;
    for (const [name, r] of wanted) if (refusal === undefined || !this.#granted.has(name)) this.#granted.set(name, r);
    if (refusal === undefined) {
      this.#pending = undefined;
      return pod;
    }
    const reason = refusal.deferred ? 'Deferred' : 'Infeasible';
    if (this.#pending?.reason !== reason) context.event(pod, 'Warning', `Resize${reason}`, `Pod resize ${reason}: ${refusal.message}`);
    this.#pending = { type: 'PodResizePending', reason, message: refusal.message };
    if (refusal.deferred) retryAt(context.clock.now() + retryMs);
    return withAllocation(pod, this.#granted);
  }
}

import { wholePod, allocationOf, type Resources, withAllocation } from '../actions/compute-resize.ts';
import type { StatusInput } from '../status/generate-status.ts';
import { sameJson } from '../status/status-patch.ts';
import type { Allocations } from './allocations.ts';
import type { PodContext } from './pod-context.ts';
import { type ContainerSpec, initContainersOf, type PodSnapshot } from './pod-snapshot.ts';

/** How often room is looked for again for a pod that is to grow. */
const retryMs = 10_000;

/** What events about a change of resources carry after their first words; tools read it as JSON. */
function summary(pod: PodSnapshot, error?: string): string {
  const list = (containers: readonly ContainerSpec[]) => containers.map(({ name, resources }) => ({ name, resources: resources ?? {} }));
  const init = list(initContainersOf(pod));
  return JSON.stringify({
    ...(init.length === 0 ? {} : { initContainers: init }),
    containers: list(pod.spec.containers),
    generation: pod.metadata.generation ?? 0,
    ...(error === undefined ? {} : { error }),
  });
}

/** What the node has granted to one pod: its first resources always, later ones where there is room (KEP-1287). */
export class ResourceGrant {
  readonly #granted: Map<string, Resources>;
  readonly #podUid: string;
  readonly #allocations: Pick<Allocations, 'get' | 'set'>;
  #pending: StatusInput['resize'];
  /** What the pod as a whole has while a change is carried out. */
  #wholeBefore: Resources | undefined;
  /** Granted, and not yet true of the running containers. */
  #progress: StatusInput['resize'];
  /** That was asked for, and is no doing of the kubelet's own. */
  #asked = false;

  /** A kubelet before this one may have been killed after it had granted something, and before it had set it for the pod as a whole. */
  #unsure: boolean;

  /** Begins with what a kubelet before this one granted. */
  constructor(podUid: string, allocations: Pick<Allocations, 'get' | 'set'>) {
    this.#podUid = podUid;
    this.#allocations = allocations;
    this.#granted = new Map(allocations.get(podUid));
    this.#unsure = this.#granted.size > 0;
  }

  /** For the status. */
  told(terminal: boolean): Pick<StatusInput, 'resize' | 'wholeInForce'> {
    const { condition } = this;
    return {
      ...(condition === undefined || terminal ? {} : { resize: condition }),
      ...(this.#progress === undefined || this.#wholeBefore === undefined ? {} : { wholeInForce: this.#wholeBefore }),
    };
  }
  /** Granted, and not carried out yet. */
  get inProgress(): boolean {
    return this.#progress !== undefined;
  }
  /** Other resources than before were granted, and are not carried out yet. */
  get isAsked(): boolean {
    return this.#asked;
  }
  /** Whether the pod as a whole may have other limits than were granted. */
  get isUnsure(): boolean {
    return this.#unsure;
  }
  /** The pod as a whole has what was granted. */
  noteInForce(): void {
    this.#unsure = false;
  }
  /** The condition of a change that could not be granted, or is not carried out. */
  get condition(): StatusInput['resize'] {
    return this.#pending ?? this.#progress;
  }
  /** The pod with the resources that it has. */
  current(pod: PodSnapshot): PodSnapshot {
    return this.#granted.size === 0 ? pod : withAllocation(pod, this.#granted);
  }
  /** Grants what the spec asks for by now, if it can be. `retryAt` is told when to ask again. */
  apply(pod: PodSnapshot, context: Pick<PodContext, 'fits' | 'event' | 'clock'>, retryAt: (atMs: number) => void): PodSnapshot {
    const wanted = allocationOf(pod);
    const changed = [...wanted].some(([name, r]) => this.#granted.has(name) && !sameJson(this.#granted.get(name), r));
    const refusal = changed ? context.fits(pod, withAllocation(pod, this.#granted)) : undefined;
    const whole = this.#granted.get(wholePod);
    let isNew = false;
    for (const [name, r] of wanted) {
      if (this.#granted.has(name) && (refusal !== undefined || sameJson(this.#granted.get(name), r))) continue;
      this.#granted.set(name, r);
      isNew = true;
    }
    if (isNew) this.#allocations.set(this.#podUid, this.#granted);
    if (refusal === undefined) {
      this.#pending = undefined;
      if (changed) {
        if (this.#progress === undefined) this.#wholeBefore = whole;
        this.#progress = { type: 'PodResizeInProgress' };
        this.#asked = true;
        context.event(pod, 'Normal', 'ResizeStarted', `Pod resize started: ${summary(pod)}`);
      }
      return pod;
    }
    const reason = refusal.deferred ? 'Deferred' : 'Infeasible';
    if (this.#pending?.reason !== reason)
      context.event(pod, 'Warning', `Resize${reason}`, `Pod resize ${reason}: ${summary(pod, refusal.message)}`);
    this.#pending = { type: 'PodResizePending', reason, message: refusal.message };
    if (refusal.deferred) retryAt(context.clock.now() + retryMs);
    return withAllocation(pod, this.#granted);
  }
  /** The runtime refused a change that was granted; it is tried again. */
  failed(pod: PodSnapshot, message: string, context: Pick<PodContext, 'event'>): void {
    if (this.#progress?.message !== message) context.event(pod, 'Warning', 'ResizeError', `Pod resize error: ${summary(pod, message)}`);
    this.#progress = { type: 'PodResizeInProgress', reason: 'Error', message };
  }
  /** All running containers have what was granted. */
  completed(pod: PodSnapshot, context: Pick<PodContext, 'event'>): void {
    if (this.#progress === undefined) return;
    this.#progress = undefined;
    this.#asked = false;
    context.event(pod, 'Normal', 'ResizeCompleted', `Pod resize completed: ${summary(this.current(pod))}`);
  }
}

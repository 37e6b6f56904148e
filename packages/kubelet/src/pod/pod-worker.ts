import { aborted, childSignal, type ChildSignal, formatTime } from '@skiff/component-base';
import type { ContainerStatus, RuntimeEvent } from '@skiff/cri';
import { resizesLeft } from '../actions/compute-resize.ts';
import { nothingObserved, type ObservedPod, runningContainers } from '../actions/observed-pod.ts';
import { Deadline } from '../container/deadline.ts';
import type { WaitingReason } from '../status/container-statuses.ts';
import { failedMountReason } from '../volumes/volume-manager.ts';
import { generateStatus, type StatusInput } from '../status/generate-status.ts';
import { newTerminations } from '../status/terminations.ts';
import { killContainers, removePod, stopSandboxes } from './kill-pod.ts';
import { followProbes, readingsOf } from './follow-probes.ts';
import { asNotStarted, observePod } from './observe.ts';
import type { Refusal } from './admission.ts';
import type { PodContext } from './pod-context.ts';
import type { Shortage } from './resource-fit.ts';
import { meansWork } from './pod-change.ts';
import { ResourceGrant } from './resource-grant.ts';
import { isHostNetwork, isTerminalPhase, type PodSnapshot } from './pod-snapshot.ts';
import { hasMoreToDo, syncPod, type SyncResult } from './sync-pod.ts';
import { WakeUp } from './wake-up.ts';
import {
  advance,
  defaultGraceSeconds,
  initialState,
  type PodWorkerEvent,
  type PodWorkerState,
  type TerminationCause,
} from './worker-state.ts';

/** While a sync takes longer than this, the status so far is told in between. */
const interimStatusMs = 1_000;
const failureRetryMs = 2_000;

/**
 * Carries out the decisions about one pod, one at a time: wake-ups that come while it works are remembered, and it always works
 * from the newest pod. Ends when the pod is finished and gone from the API.
 */
export class PodWorker {
  readonly done: Promise<void>;
  /** Resolves when nothing of the pod runs any more and its volumes are gone; the API may still have it. */
  readonly ended: Promise<void>;
  #markEnded: () => void = () => undefined;
  #pod: PodSnapshot;
  readonly #context: PodContext;
  readonly #root: AbortSignal;
  #state: PodWorkerState = initialState;
  #removed = false;
  #observed: ObservedPod | undefined;
  #stale = true;
  readonly #ended = new Map<string, ContainerStatus>();
  readonly #waiting = new Map<string, WaitingReason>();
  readonly #made = new Set<string>();
  readonly #starting = new Set<string>();
  #failure: StatusInput['failure'];
  #failures = 0;
  #syncing: ChildSignal | undefined;
  #deadline: Deadline | undefined;
  readonly #wakeUp: WakeUp;
  /** Set while containers end. */
  #tellMeanwhile: (() => void) | undefined;
  #admitted = false;
  readonly #grant: ResourceGrant;
  #asked = false;
  readonly #seenAtMs: number;
  #startedAtMs: number | undefined;
  #held = false;

  /** `observed`: what is known already; `nothingObserved` for a pod that is new. `after`: nothing is started before it resolves. */
  constructor(pod: PodSnapshot, o: { context: PodContext; signal: AbortSignal; observed?: ObservedPod; after?: Promise<void> }) {
    this.#pod = pod;
    this.#context = o.context;
    this.#wakeUp = new WakeUp(o.context.clock);
    this.#seenAtMs = o.context.clock.now();
    this.#root = o.signal;
    this.#grant = new ResourceGrant(pod.metadata.uid, o.context.allocations);
    if (o.observed !== undefined) {
      this.#observed = o.observed;
      this.#stale = false;
    }
    this.ended = new Promise((resolve) => {
      this.#markEnded = resolve;
    });
    this.#held = o.after !== undefined;
    void o.after?.then(() => {
      this.#held = false;
      this.poke();
    });
    this.#applyPod();
    this.done = this.#run();
  }

  get pod(): PodSnapshot {
    return this.#pod;
  }
  /** Whether it takes room on the node: not before it was admitted, by this kubelet or the one before. */
  get isCounted(): boolean {
    return this.#admitted || this.#pod.status.startTime !== undefined;
  }
  /** The pod with the resources that the node granted it. */
  get allocated(): PodSnapshot {
    return this.#grant.current(this.#pod);
  }
  get state(): PodWorkerState {
    return this.#state;
  }
  get observed(): ObservedPod {
    return this.#observed ?? nothingObserved;
  }

  /** The API has a newer version. */
  update(pod: PodSnapshot): void {
    const before = this.#pod;
    this.#pod = pod;
    this.#context.status.observe(pod);
    this.#applyPod();
    // Most updates are the echo of our own status.
    if (meansWork(before, pod)) this.poke();
  }
  /** The API has no such pod any more. */
  remove(): void {
    this.#removed = true;
    this.#stop('removed', Math.max(1, this.#graceSeconds()));
    this.poke();
  }
  /** Ends the pod as Failed. `condition` tells disruption controllers why. */
  evict(reason: string, message: string, graceSeconds: number, condition?: NonNullable<StatusInput['failure']>['condition']): void {
    this.#failure ??= { reason, message, ...(condition === undefined ? {} : { condition }) };
    this.#stop('evicted', graceSeconds);
    this.poke();
  }
  /** Something that the pod depends on changed. */
  poke(): void {
    this.#tellMeanwhile?.();
    this.#wakeUp.now();
  }
  /** The runtime's containers may be others than those seen last. */
  invalidate(): void {
    this.#stale = true;
    this.poke();
  }
  onRuntimeEvent(event: Exclude<RuntimeEvent, { type: 'resync' }>): void {
    // What was just made here is no news; what became of it is.
    const own = this.#made.has(event.id);
    if (event.type === 'created' || event.type === 'removed' || (event.type === 'started' && (own || this.#syncing !== undefined))) return;
    this.invalidate();
  }

  #applyPod(): void {
    if (this.#pod.metadata.deletionTimestamp !== undefined) this.#stop('deleted', this.#graceSeconds());
    else if (isTerminalPhase(this.#pod.status.phase)) this.#stop('completed', this.#graceSeconds());
  }
  #graceSeconds(): number {
    return this.#pod.metadata.deletionGracePeriodSeconds ?? this.#pod.spec.terminationGracePeriodSeconds ?? defaultGraceSeconds;
  }
  #stop(cause: TerminationCause, graceSeconds: number): void {
    this.#advance({ type: 'stop', cause, graceSeconds });
    if (this.#state.phase !== 'syncing') this.#syncing?.abort(new Error('the pod is to stop'));
    if (this.#state.phase === 'terminating') this.#deadline?.shrinkTo(this.#state.graceSeconds * 1000);
  }
  #advance(event: PodWorkerEvent): void {
    this.#state = advance(this.#state, event);
    if (this.#state.phase === 'finished') this.#markEnded();
  }

  async #run(): Promise<void> {
    const stop = (): void => this.poke();
    this.#root.addEventListener('abort', stop);
    try {
      await this.#work();
    } finally {
      this.#root.removeEventListener('abort', stop);
    }
  }
  async #work(): Promise<void> {
    while (!this.#root.aborted) {
      await this.#wakeUp.next();
      if (this.#root.aborted) return;
      try {
        if (await this.#step()) return;
      } catch (error) {
        if (this.#root.aborted) return;
        this.#context.log.error(
          { err: error, pod: this.#pod.metadata.name, namespace: this.#pod.metadata.namespace },
          'the pod could not be synced; trying again',
        );
        this.#failures += 1;
        this.#stale = true;
        this.#wakeUp.at(this.#context.clock.now() + Math.min(failureRetryMs * 2 ** Math.min(this.#failures, 4), 30_000));
      }
    }
  }

  /** Returns true when there is nothing left to do for this pod, ever. */
  async #step(): Promise<boolean> {
    if (this.#state.phase === 'syncing' && !this.#held) await this.#sync();
    if (this.#state.phase === 'terminating') await this.#terminate(this.#state.graceSeconds, this.#state.cause);
    if (this.#state.phase === 'terminated') await this.#cleanUp();
    return this.#state.phase === 'finished' && (await this.#finish());
  }

  async #observe(): Promise<ObservedPod> {
    if (this.#observed === undefined || this.#stale) {
      this.#stale = false;
      this.#observed = await observePod(this.#pod.metadata.uid, this.#ended, this.#context);
    }
    return this.#observed;
  }

  async #admit(): Promise<boolean> {
    if (this.#admitted) return true;
    let refusal = this.#context.admit(this.#pod);
    this.#admitted = true;
    if (refusal?.shortages !== undefined) refusal = await this.#makeRoom(refusal.shortages);
    if (refusal === undefined) return true;
    this.#context.metrics.admissionRejected(refusal.reason);
    this.#context.event(this.#pod, 'Warning', refusal.reason, refusal.message);
    this.#failure = { reason: refusal.reason, message: `Pod was rejected: ${refusal.message}`, refused: true };
    this.#stop('rejected', 0);
    return false;
  }
  /** Its place is taken while others make room, as long as it isn't to stop itself. */
  async #makeRoom(shortages: readonly Shortage[]): Promise<Refusal | undefined> {
    using child = childSignal(this.#root);
    this.#syncing = child;
    const stopped = aborted(child.signal).then(() => this.#root.throwIfAborted());
    try {
      return (await Promise.race([this.#context.makeRoom(this.#pod, shortages), stopped])) ?? undefined;
    } catch (error) {
      this.#admitted = false;
      throw error;
    } finally {
      this.#syncing = undefined;
    }
  }
  #pastDeadline(): boolean {
    const seconds = this.#pod.spec.activeDeadlineSeconds;
    const started = this.#context.status.get(this.#pod.metadata.uid)?.startTime ?? this.#pod.status.startTime;
    if (seconds === undefined || started === undefined) return false;
    const atMs = Date.parse(started) + seconds * 1000;
    if (this.#context.clock.now() < atMs) {
      this.#wakeUp.at(atMs);
      return false;
    }
    const message = 'Pod was active on the node longer than the specified deadline';
    this.#context.event(this.#pod, 'Normal', 'DeadlineExceeded', message);
    this.#failure = { reason: 'DeadlineExceeded', message };
    this.#stop('evicted', this.#graceSeconds());
    return true;
  }

  async #sync(): Promise<void> {
    const { clock } = this.#context;
    // What runs was let in by the kubelet before: a restart ends nothing, whatever the node is short of by now.
    if (!this.#admitted && (await this.#observe()).sandboxes.length > 0) this.#admitted = true;
    if (!(await this.#admit()) || this.#state.phase !== 'syncing' || this.#pastDeadline()) return;
    const pod = this.#grant.apply(this.#pod, this.#context, (atMs) => this.#wakeUp.at(atMs));
    const child = childSignal(this.#root);
    let result: SyncResult;
    this.#syncing = child;
    const interim = clock.after(interimStatusMs, () => void this.#interimStatus(child).catch(() => undefined));
    try {
      const observed = await this.#observe();
      result = await syncPod({
        pod,
        observed,
        waiting: this.#waiting,
        context: this.#context,
        signal: child.signal,
        failures: this.#failures,
        made: this.#made,
        grant: this.#grant,
        starting: this.#starting,
        tell: (seen) => void this.#tell(seen, false),
        resizeFailed: (message) => this.#grant.failed(this.#pod, message, this.#context),
      });
      this.#failures = result.retryAtMs === undefined ? 0 : this.#failures + 1;
      if (result.changed) this.#stale = true;
      this.#wakeUp.at(result.retryAtMs);
      if (!result.changed && this.#context.volumes.refreshes(pod) && observed.sandboxes.length > 0)
        await this.#refreshVolumes(observed, child.signal);
    } catch (error) {
      if (!child.signal.aborted || this.#root.aborted) throw error;
      this.#stale = true;
      return;
    } finally {
      interim[Symbol.dispose]();
      this.#syncing = undefined;
      child[Symbol.dispose]();
    }
    const after = await this.#observe();
    if (!resizesLeft(pod, after, this.#context.node)) this.#grant.completed(this.#pod, this.#context);
    followProbes(this.#pod, { observed: after, made: this.#made }, this.#context);
    const phase = this.#tell(after, false);
    await this.#context.logLinks.link(pod, after.containers);
    this.#pastDeadline();
    this.#wakeUp.at(this.#context.tokens.nextRenewalMs(pod.metadata.uid));
    if (isTerminalPhase(phase)) this.#stop('completed', this.#graceSeconds());
    else if (result.changed && result.retryAtMs === undefined && hasMoreToDo(pod, after, this.#context, this.#grant.isAsked)) this.poke();
  }
  async #interimStatus(sync: ChildSignal): Promise<void> {
    if (this.#state.phase !== 'syncing') return;
    const seen = await observePod(this.#pod.metadata.uid, this.#ended, this.#context);
    // What was seen is old news when that sync is over; and nobody is to count on what has not been started to the end.
    if (this.#syncing === sync) this.#tell(asNotStarted(seen, this.#starting), false);
  }
  async #refreshVolumes(observed: ObservedPod, signal: AbortSignal): Promise<void> {
    const { volumes, node } = this.#context;
    const podIPs = isHostNetwork(this.#pod) ? node.addresses : observed.ips;
    await volumes.mount(this.#pod, { podIPs, hostIPs: node.addresses }, signal).catch((error: Error) => {
      signal.throwIfAborted();
      this.#context.event(this.#pod, 'Warning', failedMountReason(error), error.message);
      this.#wakeUp.at(this.#context.clock.now() + 30_000);
    });
  }
  /** Generates the status and hands it on; returns its phase. */
  #tell(observed: ObservedPod, terminal: boolean): string {
    const { status, node, clock, probes, metrics } = this.#context;
    const pod = this.#grant.current(this.#pod);
    const previous = status.get(pod.metadata.uid) ?? pod.status;
    const generated = generateStatus({
      pod,
      observed,
      previous,
      node,
      devices: (name) => this.#context.devices.health(pod.metadata.uid, name),
      hostIPs: node.addresses,
      now: formatTime(clock.now()),
      waiting: (name) => (terminal ? undefined : this.#waiting.get(name)),
      probes: readingsOf(probes),
      terminal,
      ...this.#grant.told(terminal),
      ...(this.#failure === undefined ? {} : { failure: this.#failure }),
    });
    for (const t of newTerminations(previous, generated)) metrics.containerTerminated(t.type, t.exitCode, t.reason);
    if (!this.#removed) status.set(pod, generated);
    if (generated.phase === 'Running' && this.#startedAtMs === undefined) this.#noteStart();
    return generated.phase ?? 'Pending';
  }

  /** Once, when all containers of a pod that this kubelet started run for the first time. */
  #noteStart(): void {
    const nowMs = this.#context.clock.now();
    this.#startedAtMs = nowMs;
    if (this.#made.size > 0) this.#context.metrics.podStarted(this.#pod.metadata, { seenMs: this.#seenAtMs, nowMs });
  }

  async #terminate(graceSeconds: number, cause: TerminationCause): Promise<void> {
    const context = this.#context;
    const pod = this.#pod;
    const { uid } = pod.metadata;
    const deadline = new Deadline(context.clock, graceSeconds * 1000);
    this.#deadline = deadline;
    context.probes.stopLivenessAndStartup(uid);
    this.#stale = true;
    const observed = await this.#observe();
    const running = runningContainers(observed);
    const wasReady = pod.status.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') === true;
    if (running.length > 0 && cause !== 'removed') this.#tell(observed, false);
    using drain = childSignal(this.#root);
    const drained = running.length === 0 ? Promise.resolve() : context.drain(pod, { graceSeconds, ready: wasReady, signal: drain.signal });
    // Readiness goes on to count while the containers end: endpoints follow it.
    if (running.length > 0 && cause !== 'removed') this.#tellMeanwhile = () => void this.#tell(observed, false);
    try {
      await killContainers(pod, { observed, deadline, drained, signal: this.#root }, context);
    } finally {
      this.#tellMeanwhile = undefined;
    }
    drain.abort(new Error('all containers are gone'));
    context.probes.keepOnly(uid, new Set());
    this.#stale = true;
    const after = await this.#observe();
    // A pod that was over when it was first seen keeps the status that it has.
    if (cause !== 'removed' && (running.length > 0 || !isTerminalPhase(pod.status.phase))) this.#tell(after, true);
    await stopSandboxes(pod, after, context);
    this.#deadline = undefined;
    this.#advance({ type: 'containersGone' });
  }

  async #cleanUp(): Promise<void> {
    const context = this.#context;
    const { uid } = this.#pod.metadata;
    await context.network.release(uid);
    await context.volumes.tearDown(uid);
    await context.cgroups.remove(uid);
    context.images.forget(uid);
    context.devices.release(uid);
    context.allocations.forget(uid);
    context.crashBackOff.forget(`${uid}_`);
    context.metrics.forgetPod(this.#pod.metadata);
    this.#advance({ type: 'cleanedUp' });
  }

  /** What stays of a pod that is over are its ended containers, for their logs; they go with the API's object. */
  async #finish(): Promise<boolean> {
    const [context, pod] = [this.#context, this.#pod];
    if (!this.#removed && (pod.metadata.deletionTimestamp === undefined || this.#asked)) return false;
    this.#stale = true;
    await removePod(pod, await this.#observe(), context);
    if (this.#removed) {
      context.status.forget(pod.metadata.uid);
      return true;
    }
    // Finalizers of others may keep it; this is not asked twice.
    this.#asked = true;
    context.status.finish(pod);
    return false;
  }
}

import type { Client, EventRecorder, InformerFactory } from '@skiff/client';
import type { Clock, Logger } from '@skiff/component-base';
import { ClusterState } from './cluster-state.ts';
import { createDefaultProfile } from './default-profile.ts';
import { runCycle, type CycleResult } from './framework/cycle.ts';
import { formatDiagnosis, newDiagnosis, type Diagnosis } from './framework/diagnosis.ts';
import { labelsOf } from './framework/label-selector.ts';
import { podKey, type PodInfo } from './framework/pod-info.ts';
import type { PostFilterResult } from './framework/plugin.ts';
import type { Profile } from './framework/profile.ts';
import { isRejection } from './framework/verdict.ts';
import { createSchedulerInformers, subscribe, type SchedulerInformers } from './informer-events.ts';
import type { SchedulerMetrics } from './metrics.ts';
import { nominateNode, updatePodScheduled } from './pod-status.ts';
import { podDisruptionBudget } from './resource-refs.ts';
import { createSiblings } from './siblings.ts';
import { SchedulingQueue, type QueuedPod, type SchedulingQueueConfig } from './queue/scheduling-queue.ts';

export interface SchedulerConfig extends SchedulingQueueConfig {
  /** Pods with another `spec.schedulerName` are somebody else's. Default `default-scheduler`. */
  readonly schedulerName?: string;
  /** 0 or absent: fewer the more nodes there are. */
  readonly percentageOfNodesToScore?: number;
  /** How long a bound pod counts as placed without the apiserver's news of it. Default 30 s. */
  readonly assumedPodTtlMs?: number;
}

export interface SchedulerDependencies {
  readonly client: Client;
  readonly informers: InformerFactory;
  readonly clock: Clock;
  readonly log: Logger;
  readonly events: EventRecorder;
  readonly metrics: SchedulerMetrics;
  readonly random?: () => number;
}

/** How long placing goes on before others (answers, informers) get their turn. */
const sliceMs = 5;
/** events.k8s.io allows no more in a note. */
const maxEventBytes = 1024;

/** Places pods on nodes. Nothing is read or written before `run`. */
export function createScheduler(config: SchedulerConfig, deps: SchedulerDependencies): Scheduler {
  return new Scheduler(config, deps);
}

export class Scheduler {
  readonly #config: SchedulerConfig;
  readonly #deps: SchedulerDependencies;
  readonly #informers: SchedulerInformers;
  readonly #state: ClusterState;
  readonly #profile: Profile;
  readonly #queue: SchedulingQueue;
  readonly #schedulerName: string;
  readonly #random: () => number;
  /** Bindings, status updates and preemptions under way. */
  readonly #background = new Set<Promise<void>>();
  readonly #assumedTimers = new Map<string, Disposable>();
  #startIndex = 0;
  #ready = false;

  constructor(config: SchedulerConfig, deps: SchedulerDependencies) {
    this.#config = config;
    this.#deps = deps;
    this.#schedulerName = config.schedulerName ?? 'default-scheduler';
    this.#random = deps.random ?? Math.random;
    this.#informers = createSchedulerInformers(deps.informers);
    this.#state = new ClusterState((name) => labelsOf(this.#informers.namespaces.get({ name }) ?? {}));
    const budgets = deps.informers.informer(podDisruptionBudget);
    this.#profile = createDefaultProfile({
      client: deps.client,
      clock: deps.clock,
      events: deps.events,
      random: this.#random,
      siblingsOf: createSiblings(deps.informers),
      claims: this.#informers.claims,
      volumes: this.#informers.volumes,
      classes: this.#informers.classes,
      csiNodes: this.#informers.csiNodes,
      drivers: this.#informers.drivers,
      capacities: this.#informers.capacities,
      attachments: this.#informers.attachments,
      budgets: () => budgets.list(),
      preempted: (victims) => deps.metrics.preempted(victims),
      clearNomination: async (pod) => {
        this.#state.nominate(pod, undefined);
        await nominateNode(pod, undefined, deps.client);
      },
    });
    this.#queue = new SchedulingQueue(this.#profile, deps.clock, config);
  }

  /** Informers have synced. */
  get ready(): boolean {
    return this.#ready;
  }

  /** How many pods wait, and where. */
  pending(): Readonly<Record<string, number>> {
    return this.#queue.counts();
  }

  /** Why a pod is not placed, node by node, as of its last attempt; undefined when it is not waiting. */
  explain(key: { namespace: string; name: string }): unknown {
    const pod = this.#informers.pods.get(key);
    const entry = this.#queue.get(pod?.metadata?.uid ?? '');
    if (entry === undefined) return undefined;
    const { lastDiagnosis, attempts, place, rejectedBy } = entry;
    return {
      place,
      attempts,
      waitsFor: [...rejectedBy],
      ...(lastDiagnosis && { message: formatDiagnosis(lastDiagnosis), nodes: Object.fromEntries(lastDiagnosis.rejections) }),
    };
  }

  /** Resolves when `signal` has aborted and everything it started has ended. */
  async run(signal: AbortSignal): Promise<void> {
    const running = this.#deps.informers.run(signal);
    using _ = subscribe(this.#informers, this.#state, this.#queue, this.#schedulerName);
    try {
      await this.#deps.informers.synced(signal);
      this.#ready = true;
      await this.#placePods(signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      this.#ready = false;
      this.#queue.close();
      for (const timer of this.#assumedTimers.values()) timer[Symbol.dispose]();
      await Promise.all(this.#background);
      await running;
    }
  }

  async #placePods(signal: AbortSignal): Promise<void> {
    let sliceStartMs = this.#deps.clock.monotonicMs();
    while (!signal.aborted) {
      const entry = this.#queue.pop();
      if (entry === undefined) {
        await this.#queue.ready(signal);
        sliceStartMs = this.#deps.clock.monotonicMs();
        continue;
      }
      this.#place(entry, signal);
      if (this.#deps.clock.monotonicMs() - sliceStartMs < sliceMs) continue;
      await new Promise<void>((resolve) => setImmediate(resolve));
      sliceStartMs = this.#deps.clock.monotonicMs();
    }
  }

  /** One attempt: decide, and set going what follows from it. Never throws. */
  #place(entry: QueuedPod, signal: AbortSignal): void {
    const { info } = entry;
    const startMs = this.#deps.clock.monotonicMs();
    try {
      const result = this.#decide(info);
      if (typeof result === 'string')
        this.#fail(entry, { reason: 'Unschedulable', message: result, rejectedBy: new Set(), nominatedNode: '' });
      else if (result.outcome === 'placed') this.#assumeAndBind(entry, result, signal);
      else this.#turnAway(entry, result, signal);
      const isPlaced = typeof result !== 'string' && result.outcome === 'placed';
      this.#deps.metrics.attempt(isPlaced ? 'scheduled' : 'unschedulable', this.#deps.clock.monotonicMs() - startMs);
    } catch (error) {
      this.#deps.metrics.attempt('error', this.#deps.clock.monotonicMs() - startMs);
      this.#failWithError(entry, error);
    }
  }

  #decide(info: PodInfo): CycleResult | 'no nodes available to schedule pods' {
    const nodeCount = this.#state.nodes.length;
    if (nodeCount === 0) return 'no nodes available to schedule pods';
    const result = runCycle(info, this.#state, this.#profile, {
      startIndex: this.#startIndex,
      random: this.#random,
      percentageOfNodesToScore: this.#config.percentageOfNodesToScore ?? 0,
    });
    this.#startIndex = (this.#startIndex + result.evaluatedNodes) % nodeCount;
    return result;
  }

  #assumeAndBind(entry: QueuedPod, result: CycleResult & { outcome: 'placed' }, signal: AbortSignal): void {
    const { info } = entry;
    const { nodeName, context } = result;
    const undo = (): void => {
      for (const plugin of this.#profile.unreserve.toReversed()) plugin.unreserve(info, nodeName, context);
      this.#state.forgetPod(info.uid);
    };
    this.#state.assumePod(info, nodeName);
    for (const plugin of this.#profile.reserve) {
      const verdict = plugin.reserve(info, nodeName, context);
      if (!isRejection(verdict)) continue;
      undo();
      const diagnosis = newDiagnosis(1);
      diagnosis.rejections.set(nodeName, { ...verdict, plugin: plugin.name });
      diagnosis.rejectedBy.add(plugin.name);
      entry.lastDiagnosis = diagnosis;
      this.#fail(entry, {
        reason: 'Unschedulable',
        message: formatDiagnosis(diagnosis),
        rejectedBy: diagnosis.rejectedBy,
        nominatedNode: '',
      });
      return;
    }
    this.#inBackground(async () => {
      try {
        if (this.#profile.preBind.some((plugin) => plugin.needsPreBind?.(info, nodeName, context) ?? false)) {
          await nominateNode(info, nodeName, this.#deps.client);
        }
        for (const plugin of this.#profile.preBind) await plugin.preBind(info, nodeName, context, signal);
        for (const plugin of this.#profile.bind) await plugin.bind(info, nodeName, signal);
      } catch (error) {
        undo();
        // Others may fit now where this one does not go.
        this.#queue.event({ resource: 'AssignedPod', actions: ['delete'], old: info.pod });
        if (!signal.aborted) this.#failWithError(entry, error);
        return;
      }
      this.#bound(entry, nodeName);
    });
  }

  #bound(entry: QueuedPod, nodeName: string): void {
    const { info } = entry;
    this.#state.nominate(info, undefined);
    this.#queue.delete(info.uid);
    this.#deps.metrics.bound(this.#deps.clock.now() - entry.addedMs, entry.attempts);
    this.#deps.events.event(info.pod, 'Normal', 'Scheduled', `Successfully assigned ${info.key} to ${nodeName}`);
    if (!this.#state.isAssumed(info.uid)) return;
    this.#assumedTimers.set(
      info.uid,
      this.#deps.clock.after(this.#config.assumedPodTtlMs ?? 30_000, () => {
        this.#assumedTimers.delete(info.uid);
        this.#expireAssumed(info);
      }),
    );
  }

  /** Bound, but the apiserver has not said so for long. What the informer knows now is believed. */
  #expireAssumed(info: PodInfo): void {
    if (!this.#state.isAssumed(info.uid)) return;
    this.#deps.log.warn({ pod: info.key }, 'a bound pod was not seen as bound; it no longer counts as placed');
    this.#state.forgetPod(info.uid);
    const known = this.#informers.pods.get(podKey(info));
    if (known?.metadata?.uid === info.uid && !known.spec?.nodeName) this.#queue.add(info);
  }

  #turnAway(entry: QueuedPod, result: CycleResult & { outcome: 'rejected' }, signal: AbortSignal): void {
    const { diagnosis, context } = result;
    let outcome: PostFilterResult | undefined;
    for (const plugin of this.#profile.postFilter) {
      outcome = plugin.postFilter(entry.info, diagnosis, context);
      if (outcome.nominatedNode) break;
    }
    diagnosis.postFilterMessage = outcome?.message;
    entry.lastDiagnosis = diagnosis;
    this.#fail(entry, {
      reason: 'Unschedulable',
      message: formatDiagnosis(diagnosis),
      rejectedBy: diagnosis.rejectedBy,
      nominatedNode: outcome?.nominatedNode,
    });
    const act = outcome?.act;
    if (act === undefined) return;
    this.#inBackground(async () => {
      try {
        await act(signal);
      } catch (error) {
        if (!signal.aborted) this.#deps.log.error({ err: error, pod: entry.info.key }, 'making room for a pod failed');
      }
    });
  }

  #failWithError(entry: QueuedPod, error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    this.#deps.log.error({ err: error, pod: entry.info.key }, 'placing a pod failed; trying again');
    this.#fail(entry, { reason: 'SchedulerError', message, rejectedBy: 'error', nominatedNode: undefined });
  }

  #fail(
    entry: QueuedPod,
    why: {
      readonly reason: 'Unschedulable' | 'SchedulerError';
      readonly message: string;
      readonly rejectedBy: Diagnosis['rejectedBy'] | 'error';
      readonly nominatedNode: string | undefined;
    },
  ): void {
    const { info } = entry;
    const known = this.#informers.pods.get(podKey(info));
    if (known === undefined || known.metadata?.uid !== info.uid || known.spec?.nodeName) {
      this.#queue.delete(info.uid);
      return;
    }
    this.#queue.requeue(entry, why.rejectedBy === 'error' ? 'error' : { rejectedBy: why.rejectedBy });
    if (why.nominatedNode !== undefined) this.#state.nominate(info, why.nominatedNode);
    this.#deps.events.event(info.pod, 'Warning', 'FailedScheduling', shorten(why.message));
    this.#inBackground(async () => {
      try {
        await updatePodScheduled(info, { reason: why.reason, message: why.message, nominatedNode: why.nominatedNode }, this.#deps);
      } catch (error) {
        this.#deps.log.warn({ err: error, pod: info.key }, "a pod's status could not be updated");
      }
    });
  }

  #inBackground(work: () => Promise<void>): void {
    const running = work().finally(() => this.#background.delete(running));
    this.#background.add(running);
  }
}

const shorten = (message: string): string => (message.length <= maxEventBytes ? message : `${message.slice(0, maxEventBytes - 4)} ...`);

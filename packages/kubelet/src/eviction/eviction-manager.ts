import { aborted, type Clock, type Logger } from '@skiff/component-base';
import { isCriticalPod, isTerminalPhase, type PodSnapshot } from '../pod/pod-snapshot.ts';
import type { PodWorker } from '../pod/pod-worker.ts';
import { type NodeUsage, observeSignals } from '../stats/node-usage.ts';
import type { PodUsage } from '../stats/pod-usage.ts';
import { describeEviction } from './eviction-message.ts';
import { exceededStorageLimit, hasStorageLimits } from './local-storage.ts';
import { rankVictims } from './rank.ts';
import { amountOf, isHard, isMemorySignal, type PressureCondition, resourceOf, type Threshold } from './signals.ts';
import { advancePressure, calm, mostUrgent, type PressureState, thresholdsMet } from './thresholds.ts';

export interface EvictionConfig {
  readonly thresholds: readonly Threshold[];
  /** A condition stays for so long after it was last seen. */
  readonly transitionMs: number;
  /** The most that pods get which end for a soft threshold. */
  readonly maxPodGraceSeconds: number;
}

export interface EvictionManager {
  /** Pressures as the node reports them. */
  conditions(): ReadonlySet<PressureCondition>;
  /** Looks once, without acting. */
  look(): Promise<void>;
  run(signal: AbortSignal): Promise<void>;
}

export interface Measuring {
  readonly disk: boolean;
  readonly inodes: boolean;
}

type Candidate = Pick<PodWorker, 'pod' | 'state' | 'evict' | 'ended'>;

/** Upstream's period; while memory is close to a threshold, the short one. */
const lookMs = 10_000;
const closeLookMs = 1_000;
/** After so long without an end of the victim another one is chosen. */
const victimWaitMs = 30_000;
/** Walking the pods' files takes at most this share of the time. */
const storageShare = 0.05;
const immediateGraceSeconds = 1;

/**
 * Watches over what the node has left, and ends pods before the kernel or a full disk does (API doc: Node-pressure Eviction). What is
 * nobody's is given up first: dead containers and unused images.
 */
export function createEvictionManager(
  config: EvictionConfig,
  deps: {
    readonly usage: () => Promise<NodeUsage>;
    readonly workers: () => readonly Candidate[];
    readonly measure: (pods: readonly PodSnapshot[], what: Measuring) => Promise<ReadonlyMap<string, PodUsage>>;
    /** Frees what no pod needs. */
    readonly reclaimDisk: () => Promise<void>;
    readonly event: (pod: PodSnapshot, message: string, annotations: Readonly<Record<string, string>>) => void;
    readonly nodeEvent: (reason: string, message: string) => void;
    /** Conditions changed. */
    readonly onChange: () => void;
    readonly evicted: (signal: string) => void;
    readonly clock: Clock;
    readonly log: Logger;
  },
): EvictionManager {
  const { clock, log } = deps;
  let state: PressureState = calm;
  let latest: NodeUsage | undefined;
  /** The grace in seconds with which pods were evicted that may still be ending. */
  const evicting = new WeakMap<Candidate, number>();
  /** The node is short of something, and nothing can be done for it. */
  let helpless = false;

  const look = async (): Promise<NodeUsage> => {
    const usage = await deps.usage();
    const before = state.conditions;
    state = advancePressure(state, {
      thresholds: config.thresholds,
      seen: observeSignals(usage),
      nowMs: clock.monotonicMs(),
      transitionMs: config.transitionMs,
    });
    latest = usage;
    if (before.size !== state.conditions.size || [...before].some((c) => !state.conditions.has(c))) deps.onChange();
    return usage;
  };
  const candidates = (): readonly Candidate[] =>
    deps.workers().filter((w) => (w.state.phase === 'syncing' || w.state.phase === 'terminating') && !isTerminalPhase(w.pod.status.phase));

  const evict = (
    w: Candidate,
    o: { message: string; annotations?: Readonly<Record<string, string>>; graceSeconds: number; signal: string; disruption: boolean },
  ): boolean => {
    const about = { pod: w.pod.metadata.name, namespace: w.pod.metadata.namespace };
    if (isCriticalPod(w.pod)) {
      log.debug(about, 'a critical pod is not evicted');
      return false;
    }
    // One that doesn't come to its end leaves the turn to others.
    if ((evicting.get(w) ?? Number.POSITIVE_INFINITY) <= o.graceSeconds) return false;
    evicting.set(w, o.graceSeconds);
    log.warn({ ...about, signal: o.signal }, 'a pod is evicted');
    deps.event(w.pod, o.message, o.annotations ?? {});
    w.evict('Evicted', o.message, o.graceSeconds, o.disruption ? { type: 'DisruptionTarget', reason: 'TerminationByKubelet' } : undefined);
    deps.evicted(o.signal);
    return true;
  };
  const waitForEnd = async (w: Candidate, signal: AbortSignal): Promise<void> => {
    await Promise.race([w.ended, clock.sleep(victimWaitMs, signal).catch(() => undefined)]);
  };

  /** Ends at most one pod, and waits for that. Returns whether one was ended. */
  const relieve = async (signal: AbortSignal): Promise<boolean> => {
    const threshold = mostUrgent(state.acting);
    if (threshold === undefined || latest === undefined) {
      helpless = false;
      return false;
    }
    const resource = resourceOf(threshold.signal);
    deps.nodeEvent('EvictionThresholdMet', `Attempting to reclaim ${resource}`);
    const onDisk = resource === 'ephemeral-storage' || resource === 'inodes';
    // With a disk of its own for images, what lies there doesn't help the node's.
    if (onDisk && !(latest.dedicatedImageFs && threshold.signal.startsWith('nodefs.'))) {
      // On a full disk even this may fail; then it is the pods' turn.
      await deps.reclaimDisk().catch((error: unknown) => log.error({ err: error }, 'not all that no pod needs could be removed'));
      const after = await deps.usage();
      if (thresholdsMet(config.thresholds, observeSignals(after), true).length === 0) return false;
    }
    const workers = candidates();
    const measured = await deps.measure(
      workers.map((w) => w.pod),
      { disk: onDisk, inodes: resource === 'inodes' },
    );
    const { dedicatedImageFs } = latest;
    const ranked = rankVictims(
      workers.map((w) => w.pod),
      threshold.signal,
      { usage: (p) => measured.get(p.metadata.uid), dedicatedImageFs },
    );
    for (const pod of ranked) {
      const w = workers.find((c) => c.pod.metadata.uid === pod.metadata.uid);
      if (w === undefined) continue;
      const seen = observeSignals(latest);
      const { message, annotations } = describeEviction(pod, resource, {
        acting: state.acting,
        seen,
        usage: measured.get(pod.metadata.uid),
      });
      const graceSeconds = isHard(threshold)
        ? immediateGraceSeconds
        : Math.min(config.maxPodGraceSeconds, pod.spec.terminationGracePeriodSeconds ?? config.maxPodGraceSeconds);
      if (!evict(w, { message, annotations, graceSeconds, signal: threshold.signal, disruption: true })) continue;
      helpless = false;
      await waitForEnd(w, signal);
      return true;
    }
    if (!helpless) log.error({ signal: threshold.signal }, 'the node is short of something, and there is no pod to evict for it');
    helpless = true;
    return false;
  };

  /** Memory can be gone within a second, so whoever is close to the threshold looks more often. */
  const nextLookMs = (): number => {
    const memory = latest === undefined ? undefined : observeSignals(latest).get('memory.available');
    const close =
      memory !== undefined &&
      config.thresholds.some((t) => isMemorySignal(t.signal) && memory.available < 3 * amountOf(t.value, memory.capacity));
    return close && !helpless ? closeLookMs : lookMs;
  };
  const watchPressure = async (signal: AbortSignal): Promise<void> => {
    while (!signal.aborted) {
      let evictedOne = false;
      try {
        await look();
        evictedOne = await relieve(signal);
      } catch (error) {
        if (signal.aborted) return;
        log.error({ err: error }, 'what the node has left could not be judged');
      }
      if (!evictedOne) await clock.sleep(nextLookMs(), signal).catch(() => undefined);
    }
  };
  /** Limits of ephemeral-storage and sizeLimit; only pods that have such are measured. */
  const watchStorage = async (signal: AbortSignal): Promise<void> => {
    while (!signal.aborted) {
      const startedMs = clock.monotonicMs();
      try {
        const limited = candidates().filter((w) => w.state.phase === 'syncing' && hasStorageLimits(w.pod));
        const measured =
          limited.length === 0
            ? new Map<string, PodUsage>()
            : await deps.measure(
                limited.map((w) => w.pod),
                { disk: true, inodes: false },
              );
        for (const w of limited) {
          const usage = measured.get(w.pod.metadata.uid);
          const message =
            usage === undefined ? undefined : exceededStorageLimit(w.pod, usage, { dedicatedImageFs: latest?.dedicatedImageFs === true });
          if (message !== undefined)
            evict(w, { message, graceSeconds: immediateGraceSeconds, signal: 'ephemeral-storage.limit', disruption: false });
        }
      } catch (error) {
        if (signal.aborted) return;
        log.error({ err: error }, 'local storage of pods could not be measured');
      }
      const tookMs = clock.monotonicMs() - startedMs;
      await clock.sleep(Math.max(lookMs, tookMs / storageShare), signal).catch(() => undefined);
    }
  };

  return {
    conditions: () => state.conditions,
    look: async () => void (await look()),
    run: async (signal) => {
      await Promise.race([Promise.all([watchPressure(signal), watchStorage(signal)]), aborted(signal)]);
    },
  };
}

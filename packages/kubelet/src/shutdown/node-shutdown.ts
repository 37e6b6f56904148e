import { aborted, type Clock, type Logger } from '@skiff/component-base';
import { isTerminalPhase } from '../pod/pod-snapshot.ts';
import type { PodWorker } from '../pod/pod-worker.ts';
import { planShutdown, type ShutdownGrace } from './shutdown-plan.ts';

/** Tells that the machine is about to go down (true), or that it will not after all (false). */
export interface ShutdownSource {
  /** Ends when `signal` aborts. The machine waits until `release` of the announcement was called, where it can be made to wait. */
  announcements(signal: AbortSignal): AsyncIterable<{ readonly goingDown: boolean; release(): void }>;
}

export interface NodeShutdown {
  readonly inProgress: boolean;
  run(signal: AbortSignal): Promise<void>;
}

const message = 'Pod was terminated in response to imminent node shutdown.';
/** New pods are refused with this. */
export const shutdownRefusal = { reason: 'NodeShutdown', message: 'Pod was rejected as the node is shutting down.' } as const;

/**
 * Ends the pods before the machine goes down, the least important first, each with its own grace but at most its group's (KEP-2000,
 * KEP-2712). They end as Failed, so that their controllers make others elsewhere.
 */
export function createNodeShutdown(
  config: { readonly graces: readonly ShutdownGrace[] },
  deps: {
    readonly source: ShutdownSource;
    readonly workers: () => readonly Pick<PodWorker, 'pod' | 'state' | 'evict' | 'ended'>[];
    /** The node's Ready condition follows `inProgress`. */
    readonly onChange: () => void;
    readonly clock: Clock;
    readonly log: Logger;
  },
): NodeShutdown {
  const { clock, log } = deps;
  let inProgress = false;

  const endPods = async (signal: AbortSignal): Promise<void> => {
    const running = deps
      .workers()
      .filter((w) => (w.state.phase === 'syncing' || w.state.phase === 'terminating') && !isTerminalPhase(w.pod.status.phase));
    for (const group of planShutdown(running, config.graces)) {
      for (const w of group.workers) {
        const graceSeconds = Math.min(group.seconds, w.pod.spec.terminationGracePeriodSeconds ?? group.seconds);
        w.evict('Terminated', message, graceSeconds, { type: 'DisruptionTarget', reason: 'TerminationByKubelet' });
      }
      const all = Promise.all(group.workers.map((w) => w.ended));
      if (group.workers.length > 0)
        await Promise.race([all, clock.sleep(group.seconds * 1000, signal).catch(() => undefined), aborted(signal)]);
    }
  };
  return {
    get inProgress() {
      return inProgress;
    },
    run: async (signal) => {
      if (config.graces.length === 0) return aborted(signal);
      for await (const announcement of deps.source.announcements(signal)) {
        const before = inProgress;
        inProgress = announcement.goingDown;
        if (before !== inProgress) deps.onChange();
        if (!announcement.goingDown) {
          log.info('the machine does not go down after all');
          continue;
        }
        log.warn({ pods: deps.workers().length }, 'the machine goes down; ending its pods');
        await endPods(signal).catch((error: unknown) => log.error({ err: error }, 'pods could not be ended before the machine goes down'));
        announcement.release();
      }
    },
  };
}

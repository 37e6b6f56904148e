import { FlagError } from '@skiff/component-base';
import type { PodSnapshot } from '../pod/pod-snapshot.ts';

/** Pods of at least this priority, and below the next entry's, get so long to end. */
export interface ShutdownGrace {
  readonly priority: number;
  readonly seconds: number;
}

const systemCritical = 2_000_000_000;

/** The short form (all together, of which the last part is for critical pods) in the long one. Throws FlagError. */
export function planGrace(o: {
  readonly totalMs: number;
  readonly criticalMs: number;
  /** `priority=duration in seconds`; excludes the two above. */
  readonly byPriority: readonly ShutdownGrace[];
}): readonly ShutdownGrace[] {
  if (o.byPriority.length > 0) {
    if (o.totalMs > 0 || o.criticalMs > 0)
      throw new FlagError(
        'shutdownGracePeriodByPodPriority can not be combined with shutdownGracePeriod and shutdownGracePeriodCriticalPods',
      );
    return [...o.byPriority].sort((a, b) => a.priority - b.priority);
  }
  if (o.criticalMs > o.totalMs)
    throw new FlagError('shutdownGracePeriodCriticalPods must be at most shutdownGracePeriod, of which it is a part');
  if (o.totalMs === 0) return [];
  return [
    { priority: 0, seconds: (o.totalMs - o.criticalMs) / 1000 },
    { priority: systemCritical, seconds: o.criticalMs / 1000 },
  ];
}

export const totalSeconds = (graces: readonly ShutdownGrace[]): number => graces.reduce((sum, g) => sum + g.seconds, 0);

/** Who ends when: the least important first. Pods below the lowest entry go with it. Pure. */
export function planShutdown<W extends { readonly pod: PodSnapshot }>(
  workers: readonly W[],
  graces: readonly ShutdownGrace[],
): readonly { readonly seconds: number; readonly workers: readonly W[] }[] {
  return graces.map(({ seconds }, i) => ({
    seconds,
    workers: workers.filter((w) => {
      const priority = w.pod.spec.priority ?? 0;
      const index = graces.findLastIndex((g) => priority >= g.priority);
      return Math.max(0, index) === i;
    }),
  }));
}

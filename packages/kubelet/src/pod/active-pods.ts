import { isTerminalPhase, type PodSnapshot } from './pod-snapshot.ts';
import type { PodWorker } from './pod-worker.ts';

/** Not over, and not refused. */
export const isActive = (w: PodWorker): boolean =>
  (w.state.phase === 'syncing' || w.state.phase === 'terminating') && !isTerminalPhase(w.pod.status.phase);

/** Pods that take room on the node, with what they were granted. */
export const activePods = (workers: readonly PodWorker[]): readonly PodSnapshot[] =>
  workers.filter((w) => w.isCounted && isActive(w)).map((w) => w.allocated);

import { isTerminalPhase, type PodSnapshot } from './pod-snapshot.ts';
import type { PodWorker } from './pod-worker.ts';

/** Not over, and not refused. */
const isActive = (w: PodWorker): boolean =>
  (w.state.phase === 'syncing' || w.state.phase === 'terminating') && !isTerminalPhase(w.pod.status.phase);

/** Whether the pod's end would free something. */
export const takesRoom = (w: PodWorker): boolean => w.isCounted && isActive(w);

/** Pods that take room on the node, with what they were granted. */
export const activePods = (workers: readonly PodWorker[]): readonly PodSnapshot[] => workers.filter(takesRoom).map((w) => w.allocated);

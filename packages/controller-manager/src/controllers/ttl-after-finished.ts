import { job as jobs, type Job } from '@skiff/api';
import { hasReason, type DeepReadonly } from '@skiff/apimachinery';
import { defineController, primary } from '@skiff/client';
import type { ControllerDescriptor } from '../descriptor.ts';

/** When a finished Job may go, milliseconds since the epoch; undefined for never. */
export function expiresAtMs(job: DeepReadonly<Job>): number | undefined {
  const seconds = job.spec?.ttlSecondsAfterFinished;
  const finished = (job.status?.conditions ?? []).find((c) => (c.type === 'Complete' || c.type === 'Failed') && c.status === 'True');
  if (seconds === undefined || !finished?.lastTransitionTime || job.metadata?.deletionTimestamp !== undefined) return undefined;
  return Date.parse(finished.lastTransitionTime) + seconds * 1000;
}

/** Deletes Jobs some time after they have finished. */
export const ttlAfterFinishedController: ControllerDescriptor = {
  name: 'ttl-after-finished-controller',
  define: () =>
    defineController({
      name: 'ttl-after-finished-controller',
      concurrency: 2,
      sources: [primary(jobs)],
      create: ({ informers, clock }) => {
        const informer = informers.informer(jobs);
        return async (key, { client, signal }) => {
          const job = informer.get(key);
          const atMs = job === undefined ? undefined : expiresAtMs(job);
          if (job === undefined || atMs === undefined) return undefined;
          const leftMs = atMs - clock.now();
          if (leftMs > 0) return { requeueAfterMs: leftMs };
          const preconditions = { uid: job.metadata?.uid ?? '', resourceVersion: job.metadata?.resourceVersion ?? '' };
          try {
            await client.delete(jobs, key, { propagationPolicy: 'Foreground', preconditions, signal });
          } catch (error) {
            // Changed meanwhile: the change brings the key back.
            if (!hasReason(error, 'NotFound') && !hasReason(error, 'Conflict')) throw error;
          }
          return undefined;
        };
      },
    }),
};

import { pod as pods, type Pod } from '@skiff/api';
import { hasReason, isStatusError, type DeepReadonly, type KubeObject } from '@skiff/apimachinery';
import type { EventRecorder, ReconcileContext } from '@skiff/client';

/** Whether a create failed because its namespace is on its way out: then all creates will, and nothing is to be done. */
export const isNamespaceTerminating = (error: unknown): boolean =>
  isStatusError(error) && error.details?.causes?.some((c) => c.reason === 'NamespaceTerminating') === true;

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** What was caught, as what may be thrown again. */
export const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));

/** Creates and deletes the pods of one owner, and tells about it in Events of the owner. */
export interface PodControl {
  /** false: the namespace is terminating. */
  create(pod: Pod): Promise<boolean>;
  /** false: it was gone already. */
  remove(pod: DeepReadonly<Pod>): Promise<boolean>;
}

export function podControl(
  owner: DeepReadonly<KubeObject>,
  events: EventRecorder,
  run: Pick<ReconcileContext, 'client' | 'signal'>,
): PodControl {
  return {
    create: async (pod) => {
      try {
        const created = await run.client.create(pods, pod, { signal: run.signal });
        events.event(owner, 'Normal', 'SuccessfulCreate', `Created pod: ${created.metadata?.name ?? ''}`);
        return true;
      } catch (error) {
        if (isNamespaceTerminating(error)) return false;
        if (!run.signal.aborted) events.event(owner, 'Warning', 'FailedCreate', `Error creating: ${messageOf(error)}`);
        throw error;
      }
    },
    remove: async (pod) => {
      const { namespace = '', name = '', uid = '' } = pod.metadata ?? {};
      try {
        await run.client.delete(pods, { namespace, name }, { preconditions: { uid }, signal: run.signal });
        events.event(owner, 'Normal', 'SuccessfulDelete', `Deleted pod: ${name}`);
        return true;
      } catch (error) {
        // Gone, or its name is another pod's: the cache will say so.
        if (hasReason(error, 'NotFound') || hasReason(error, 'Conflict')) return false;
        if (!run.signal.aborted) events.event(owner, 'Warning', 'FailedDelete', `Error deleting: ${messageOf(error)}`);
        throw error;
      }
    },
  };
}

/** Runs `work` on all at once; afterwards throws the first error, if there was one. Returns how many said true. */
export async function forAll<T>(items: readonly T[], work: (item: T) => Promise<boolean>): Promise<number> {
  const results = await Promise.allSettled(items.map(work));
  const failed = results.find((r) => r.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return results.filter((r) => r.status === 'fulfilled' && r.value).length;
}

import { job as jobs, pod as pods, type Job, type Pod } from '@skiff/api';
import { hasReason, keyOf, type DeepReadonly } from '@skiff/apimachinery';
import { controllerOf, defineController, LruCache, mapped, primary, refersTo, type ReconcileContext } from '@skiff/client';
import { claimChildren } from '../claim.ts';
import type { ControllerDescriptor } from '../descriptor.ts';
import { decideJob, isFinished, isTracked, trackingFinalizer, type JobDecision } from '../job/decide-job.ts';
import { noFailures, type BackoffRecord } from '../job/job-backoff.ts';
import { jobPod } from '../job/job-pod.ts';
import type { JobView, PodView } from '../job/job-policies.ts';
import { computeJobStatus, sameJobStatus } from '../job/job-status.ts';
import { labelSelectorMatcher } from '../label-selector.ts';
import { byControllerUid, controllerUidIndex } from '../owner-references.ts';
import { asError, forAll, podControl } from '../pods/pod-control.ts';
import { isReady } from '../pods/pod-state.ts';
import { slowStart } from '../pods/slow-start.ts';

const jobControllerName = 'kubernetes.io/job-controller';
/** Pods by the name of the Job they say they belong to, whether it exists or not. */
const jobNameIndex = 'jobName';
/** No Job has a colon in its name: the key of a pod that belongs to none. */
const strayPrefix = 'pod:';

const isForeign = (job: JobView): boolean => job.spec?.managedBy !== undefined && job.spec.managedBy !== jobControllerName;

function jobKeys(pod: DeepReadonly<Pod>): readonly string[] {
  const reference = controllerOf(pod);
  const namespace = pod.metadata?.namespace ?? '';
  if (reference !== undefined) return refersTo(reference, jobs) ? [`${namespace}/${reference.name}`] : [];
  return isTracked(pod) ? [`${namespace}/${strayPrefix}${pod.metadata?.name ?? ''}`] : [];
}

async function untrack(pod: PodView, run: ReconcileContext): Promise<boolean> {
  if (!isTracked(pod)) return false;
  const { namespace = '', name = '', uid = '' } = pod.metadata ?? {};
  try {
    const body = { metadata: { uid, '$deleteFromPrimitiveList/finalizers': [trackingFinalizer] } };
    await run.client.patch(pods, { namespace, name }, { type: 'strategic', body }, { signal: run.signal });
    return true;
  } catch (error) {
    if (hasReason(error, 'NotFound') || hasReason(error, 'Conflict')) return false;
    throw error;
  }
}

/** Runs pods until enough of them have succeeded, or too many have failed. */
export const jobController: ControllerDescriptor = {
  name: 'job-controller',
  define: () =>
    defineController({
      name: 'job-controller',
      concurrency: 5,
      retryInitialMs: 1_000,
      retryMaxMs: 60_000,
      sources: [
        primary(jobs),
        mapped(pods, jobKeys),
        mapped(pods, (pod, { informers }) =>
          controllerOf(pod) !== undefined || pod.metadata?.deletionTimestamp !== undefined
            ? []
            : informers
                .informer(jobs)
                .list(pod.metadata?.namespace)
                .filter((j) => labelSelectorMatcher(j.spec?.selector)(pod.metadata?.labels))
                .map((j) => keyOf(j)),
        ),
      ],
      create: ({ informers, clock, events }) => {
        const jobInformer = informers.informer(jobs);
        const podInformer = informers.informer(pods);
        podInformer.addIndex(controllerUidIndex, byControllerUid);
        podInformer.addIndex(jobNameIndex, (pod) => (controllerOf(pod) === undefined ? [] : jobKeys(pod)));
        const backoffs = new LruCache<string, BackoffRecord>(10_000);

        const carryOut = async (
          job: JobView,
          decision: JobDecision,
          run: ReconcileContext,
        ): Promise<{ made: number; removed: number; removedReady: number; error: unknown }> => {
          const control = podControl(job, events, run);
          let made = 0;
          const { error } = await slowStart(decision.create.length, async (i) => {
            const wanted = decision.create[i];
            if (wanted !== undefined && (await control.create(jobPod(job, wanted)))) made += 1;
          });
          let removed = 0;
          let removedReady = 0;
          let removeError: unknown;
          try {
            await forAll(decision.remove, async (pod) => {
              if (decision.removeUncounted) await untrack(pod, run);
              await control.remove(pod);
              removed += 1;
              if (isReady(pod)) removedReady += 1;
              return true;
            });
          } catch (failure) {
            removeError = failure;
          }
          return { made, removed, removedReady, error: error ?? removeError };
        };

        /** Pods of a Job that is gone, over, or another one now are let go. */
        const releaseAll = async (candidates: readonly PodView[], run: ReconcileContext): Promise<void> => {
          await forAll(candidates.filter(isTracked), (pod) => untrack(pod, run));
        };

        return async (key, run) => {
          if (key.name.startsWith(strayPrefix)) {
            const pod = podInformer.get({ namespace: key.namespace ?? '', name: key.name.slice(strayPrefix.length) });
            const wanted =
              pod !== undefined &&
              jobInformer.list(key.namespace).some((j) => !isFinished(j) && labelSelectorMatcher(j.spec?.selector)(pod.metadata?.labels));
            if (pod !== undefined && controllerOf(pod) === undefined && !wanted) await releaseAll([pod], run);
            return undefined;
          }
          const job = jobInformer.get(key);
          const named = podInformer.byIndex(jobNameIndex, `${key.namespace ?? ''}/${key.name}`);
          await releaseAll(
            named.filter((pod) => controllerOf(pod)?.uid !== job?.metadata?.uid),
            run,
          );
          if (job === undefined || isForeign(job)) return undefined;
          const uid = job.metadata?.uid ?? '';
          if (isFinished(job)) {
            await releaseAll(podInformer.byIndex(controllerUidIndex, uid), run);
            return undefined;
          }
          const matches = labelSelectorMatcher(job.spec?.selector);
          const claimed = await claimChildren(
            [...podInformer.byIndex(controllerUidIndex, uid), ...podInformer.byIndex(controllerUidIndex, `orphan/${key.namespace ?? ''}`)],
            {
              owner: job,
              ownerResource: jobs,
              childResource: pods,
              matches: (pod) => matches(pod.metadata?.labels),
              client: run.client,
              signal: run.signal,
              finalizers: [trackingFinalizer],
            },
          );
          const nowMs = clock.now();
          const decision = decideJob({ job, pods: claimed, backoff: backoffs.get(uid) ?? noFailures, nowMs });
          const done = await carryOut(job, decision, run);
          const change = computeJobStatus(job, decision, { ...done, nowMs });
          if (!sameJobStatus(job.status, change.status)) {
            await run.client.updateStatus(jobs, { ...(structuredClone(job) as Job), status: change.status }, { signal: run.signal });
            backoffs.set(uid, decision.backoff);
            if (change.suspension !== undefined)
              events.event(job, 'Normal', change.suspension, change.suspension === 'Suspended' ? 'Job suspended' : 'Job resumed');
            if (change.ended?.type === 'Complete') events.event(job, 'Normal', 'Completed', 'Job completed');
            else if (change.ended !== undefined) events.event(job, 'Warning', change.ended.reason ?? '', change.ended.message ?? '');
          }
          // Only now: the status has them.
          await releaseAll(decision.release, run);
          if (done.error !== undefined) throw asError(done.error);
          return decision.requeueAfterMs === undefined ? undefined : { requeueAfterMs: decision.requeueAfterMs + 1 };
        };
      },
    }),
};

import type { JobCondition } from '@skiff/api';
import { formatTime } from '@skiff/component-base';
import { findCondition } from '../conditions.ts';
import { isActive, isReady, isTerminating } from '../pods/pod-state.ts';
import { completionIndex, firstFreeIndexes, parseIndexes } from './completion-indexes.ts';
import { finishedAtMs, nextBackoff, remainingMs, type BackoffRecord } from './job-backoff.ts';
import { matchFailurePolicy, matchSuccessPolicy, type JobView, type PodView } from './job-policies.ts';

export const trackingFinalizer = 'batch.kubernetes.io/job-tracking';
const indexFailureCountKey = 'batch.kubernetes.io/job-index-failure-count';
const indexIgnoredFailureCountKey = 'batch.kubernetes.io/job-index-ignored-failure-count';
const maxUncounted = 500;
const maxPodsAtOnce = 500;

export const isIndexed = (job: JobView): boolean => job.spec?.completionMode === 'Indexed';
export const isSuspended = (job: JobView): boolean => job.spec?.suspend === true;
export const isTracked = (pod: PodView): boolean => (pod.metadata?.finalizers ?? []).includes(trackingFinalizer);
export const isFinished = (job: JobView): boolean =>
  (job.status?.conditions ?? []).some((c) => (c.type === 'Complete' || c.type === 'Failed') && c.status === 'True');
/** With `Failed` a pod is replaced only when it has ended, not when it is on its way out. */
const replacesOnlyFailed = (job: JobView): boolean =>
  job.spec?.podReplacementPolicy === 'Failed' || job.spec?.podFailurePolicy !== undefined;
const hasFailed = (job: JobView, pod: PodView): boolean =>
  pod.status?.phase === 'Failed' ||
  (!replacesOnlyFailed(job) && pod.metadata?.deletionTimestamp !== undefined && pod.status?.phase !== 'Succeeded');

export interface NewPod {
  readonly index?: number;
  readonly annotations: Readonly<Record<string, string>>;
}

/** What a job needs now. Pods are made and removed first, then the status is written, then finalizers are taken off. */
export interface JobDecision {
  /** `SuccessCriteriaMet` or `FailureTarget`: the job ends this way. */
  readonly outcome: JobCondition | undefined;
  readonly create: readonly NewPod[];
  readonly remove: readonly PodView[];
  /** Pods of `remove` whose end doesn't count: their finalizer goes first. */
  readonly removeUncounted: boolean;
  /** Pods that are done with: counted by the status, then let go. */
  readonly release: readonly PodView[];
  readonly uncountedSucceeded: readonly string[];
  readonly uncountedFailed: readonly string[];
  /** Counted for good: their finalizers are gone. */
  readonly counted: { readonly succeeded: number; readonly failed: number };
  readonly completedIndexes: ReadonlySet<number> | undefined;
  readonly failedIndexes: ReadonlySet<number> | undefined;
  readonly active: number;
  readonly ready: number;
  readonly terminating: number;
  readonly backoff: BackoffRecord;
  readonly requeueAfterMs: number | undefined;
}

export function jobCondition(type: string, o: { reason: string; message: string; nowMs: number; status?: string }): JobCondition {
  const now = formatTime(o.nowMs);
  return { type, status: o.status ?? 'True', lastProbeTime: now, lastTransitionTime: now, reason: o.reason, message: o.message };
}

interface Picture {
  readonly job: JobView;
  readonly pods: readonly PodView[];
  readonly active: readonly PodView[];
  readonly succeeded: number;
  readonly failed: number;
  readonly succeededIndexes: ReadonlySet<number>;
  readonly failedIndexes: ReadonlySet<number> | undefined;
  /** The last failed pod of each index that waits for its next try. */
  readonly waiting: ReadonlyMap<number, PodView>;
  readonly backoff: BackoffRecord;
  readonly nowMs: number;
}

export function decideJob(o: { job: JobView; pods: readonly PodView[]; backoff: BackoffRecord; nowMs: number }): JobDecision {
  const { job, pods, nowMs } = o;
  const picture = look(o);
  const outcome = decideOutcome(picture);
  const placement =
    outcome === undefined ? place(picture) : { create: [], remove: picture.active, removeUncounted: false, requeueAfterMs: undefined };
  const done = outcome ?? (placement.create.length + placement.remove.length === 0 ? complete(picture) : undefined);
  const account = release(picture, done);
  return {
    ...placement,
    ...account,
    outcome: done,
    failedIndexes: picture.failedIndexes,
    active: picture.active.length,
    ready: picture.active.filter(isReady).length,
    terminating: pods.filter(isTerminating).length,
    backoff: picture.backoff,
    requeueAfterMs: done !== undefined ? undefined : earliest(placement.requeueAfterMs, deadlineLeftMs(job, nowMs)),
  };
}

const earliest = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined ? b : b === undefined ? a : Math.min(a, b);

function validIndex(job: JobView, pod: PodView): number | undefined {
  const index = completionIndex(pod);
  return index !== undefined && index < (job.spec?.completions ?? 0) ? index : undefined;
}

function look({ job, pods, backoff, nowMs }: { job: JobView; pods: readonly PodView[]; backoff: BackoffRecord; nowMs: number }): Picture {
  const uncounted = {
    succeeded: new Set(job.status?.uncountedTerminatedPods?.succeeded),
    failed: new Set(job.status?.uncountedTerminatedPods?.failed),
  };
  const indexed = isIndexed(job);
  const valid = pods.filter((pod) => isTracked(pod) && (!indexed || validIndex(job, pod) !== undefined));
  const uid = (pod: PodView): string => pod.metadata?.uid ?? '';
  const newSucceeded = valid.filter((pod) => pod.status?.phase === 'Succeeded' && !uncounted.succeeded.has(uid(pod)));
  const newFailed = valid.filter((pod) => hasFailed(job, pod) && !uncounted.failed.has(uid(pod)));
  const completions = job.spec?.completions ?? 0;
  const succeededIndexes = indexed ? parseIndexes(job.status?.completedIndexes, completions) : new Set<number>();
  if (indexed) for (const pod of valid) if (pod.status?.phase === 'Succeeded') succeededIndexes.add(validIndex(job, pod) ?? 0);
  const perIndex = job.spec?.backoffLimitPerIndex;
  const failedIndexes = indexed && perIndex !== undefined ? parseIndexes(job.status?.failedIndexes, completions) : undefined;
  if (failedIndexes !== undefined)
    for (const pod of valid) if (isIndexFailed(job, pod, perIndex ?? 0)) failedIndexes.add(validIndex(job, pod) ?? 0);
  const active = pods.filter(isActive);
  return {
    job,
    pods,
    active,
    succeeded: indexed ? succeededIndexes.size : (job.status?.succeeded ?? 0) + newSucceeded.length + uncounted.succeeded.size,
    failed: (job.status?.failed ?? 0) + newFailed.filter((pod) => matchFailurePolicy(job, pod).counts).length + uncounted.failed.size,
    succeededIndexes,
    failedIndexes,
    waiting:
      failedIndexes === undefined ? new Map() : waitingForRetry(job, valid, { done: [succeededIndexes, failedIndexes, indexesOf(active)] }),
    backoff: nextBackoff(backoff, newSucceeded, newFailed),
    nowMs,
  };
}

const indexesOf = (pods: readonly PodView[]): Set<number> => new Set(pods.map(completionIndex).filter((i) => i !== undefined));
const countOf = (pod: PodView, key: string): number => {
  const value = Number(pod.metadata?.annotations?.[key] ?? '0');
  return Number.isInteger(value) && value >= 0 ? value : 0;
};
const attempts = (pod: PodView): number => countOf(pod, indexFailureCountKey) + countOf(pod, indexIgnoredFailureCountKey);

function isIndexFailed(job: JobView, pod: PodView, limit: number): boolean {
  if (!hasFailed(job, pod)) return false;
  const verdict = matchFailurePolicy(job, pod);
  return verdict.action === 'FailIndex' || (verdict.counts && countOf(pod, indexFailureCountKey) >= limit);
}

function waitingForRetry(job: JobView, valid: readonly PodView[], o: { done: readonly ReadonlySet<number>[] }): Map<number, PodView> {
  const result = new Map<number, PodView>();
  for (const pod of valid) {
    const index = validIndex(job, pod);
    if (index === undefined || !hasFailed(job, pod) || o.done.some((set) => set.has(index))) continue;
    const known = result.get(index);
    if (known === undefined || (attempts(known) <= attempts(pod) && finishedAtMs(known) <= finishedAtMs(pod))) result.set(index, pod);
  }
  return result;
}

/** Restarts in place count too when the pods restart their containers themselves. */
function restartsExceeded(job: JobView, pods: readonly PodView[]): boolean {
  if (job.spec?.template.spec?.restartPolicy !== 'OnFailure') return false;
  const living = pods.filter((pod) => pod.status?.phase === 'Running' || pod.status?.phase === 'Pending');
  const restarts = living
    .flatMap((pod) => [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])])
    .reduce((n, s) => n + (s.restartCount ?? 0), 0);
  const limit = job.spec.backoffLimit ?? 6;
  return limit === 0 ? restarts > 0 : restarts >= limit;
}

function deadlineLeftMs(job: JobView, nowMs: number): number | undefined {
  const { activeDeadlineSeconds } = job.spec ?? {};
  if (activeDeadlineSeconds === undefined || isSuspended(job)) return undefined;
  const start = job.status?.startTime ? Date.parse(job.status.startTime) : nowMs;
  return start + activeDeadlineSeconds * 1000 - nowMs;
}

function decideOutcome(p: Picture): JobCondition | undefined {
  const { job, nowMs } = p;
  const recorded = job.status?.conditions ?? [];
  const met = findCondition(recorded, 'SuccessCriteriaMet');
  if (met?.status === 'True') return { ...met };
  const target = findCondition(recorded, 'FailureTarget');
  if (target?.status === 'True') return { ...target };
  const fail = (reason: string, message: string): JobCondition => jobCondition('FailureTarget', { reason, message, nowMs });
  for (const pod of p.pods) {
    const message = job.spec?.podFailurePolicy !== undefined && hasFailed(job, pod) ? matchFailurePolicy(job, pod).message : undefined;
    if (message !== undefined) return fail('PodFailurePolicy', message);
  }
  if (p.failed > (job.spec?.backoffLimit ?? 6) || restartsExceeded(job, p.pods))
    return fail('BackoffLimitExceeded', 'Job has reached the specified backoff limit');
  const leftMs = job.status?.startTime ? deadlineLeftMs(job, nowMs) : undefined;
  if (leftMs !== undefined && leftMs <= 0) return fail('DeadlineExceeded', 'Job was active longer than specified deadline');
  if (!isIndexed(job)) return undefined;
  const completions = job.spec?.completions ?? 0;
  const failedIndexes = p.failedIndexes?.size ?? 0;
  if (job.spec?.maxFailedIndexes !== undefined && failedIndexes > job.spec.maxFailedIndexes)
    return fail('MaxFailedIndexesExceeded', 'Job has exceeded the specified maximal number of failed indexes');
  if (failedIndexes > 0 && failedIndexes + p.succeededIndexes.size >= completions) return fail('FailedIndexes', 'Job has failed indexes');
  const message = matchSuccessPolicy(job, p.succeededIndexes);
  return message === undefined ? undefined : jobCondition('SuccessCriteriaMet', { reason: 'SuccessPolicy', message, nowMs });
}

function complete({ job, active, succeeded, nowMs }: Picture): JobCondition | undefined {
  const { completions } = job.spec ?? {};
  const enough = completions === undefined ? succeeded > 0 : succeeded >= completions;
  if (!enough || active.length > 0) return undefined;
  return jobCondition('SuccessCriteriaMet', { reason: 'CompletionsReached', message: 'Reached expected number of succeeded pods', nowMs });
}

type Placement = Pick<JobDecision, 'create' | 'remove' | 'removeUncounted' | 'requeueAfterMs'>;
const nothing: Placement = { create: [], remove: [], removeUncounted: true, requeueAfterMs: undefined };

/** Pods to make or to take away, as long as the job goes on. */
function place(p: Picture): Placement {
  const { job, active } = p;
  if (job.metadata?.deletionTimestamp !== undefined) return nothing;
  if (isSuspended(job)) return { ...nothing, remove: active };
  const parallelism = job.spec?.parallelism ?? 1;
  const completions = job.spec?.completions;
  const wanted =
    completions === undefined
      ? p.succeeded > 0
        ? active.length
        : parallelism
      : Math.max(0, Math.min(parallelism, completions - p.succeeded));
  const remove = surplus(p, Math.max(0, active.length - wanted)).slice(0, maxPodsAtOnce);
  if (remove.length > 0) return { ...nothing, remove };
  const terminating = replacesOnlyFailed(job) ? p.pods.filter(isTerminating).length : 0;
  const lacking = Math.min(wanted - terminating - active.length, maxPodsAtOnce);
  if (lacking <= 0) return nothing;
  if (job.spec?.backoffLimitPerIndex === undefined) {
    const waitMs = remainingMs(p.backoff.failuresAfterLastSuccess, p.backoff.lastFailureMs, p.nowMs);
    if (waitMs > 0) return { ...nothing, requeueAfterMs: waitMs };
  }
  if (!isIndexed(job)) return { ...nothing, create: Array.from({ length: lacking }, () => ({ annotations: {} })) };
  return placeIndexes(p, lacking);
}

function placeIndexes(p: Picture, count: number): Placement {
  const { job } = p;
  const busy = [p.succeededIndexes, indexesOf(p.active), ...(p.failedIndexes === undefined ? [] : [p.failedIndexes])];
  if (replacesOnlyFailed(job)) busy.push(indexesOf(p.pods.filter(isTerminating)));
  const free = firstFreeIndexes(count, job.spec?.completions ?? 0, busy);
  if (job.spec?.backoffLimitPerIndex === undefined) return { ...nothing, create: free.map((index) => ({ index, annotations: {} })) };
  const waits = new Map(
    free.map((index) => {
      const last = p.waiting.get(index);
      return [index, last === undefined ? 0 : remainingMs(attempts(last) + 1, finishedAtMs(last), p.nowMs)];
    }),
  );
  const now = free.filter((index) => waits.get(index) === 0);
  const later = [...waits.values()].filter((ms) => ms > 0);
  return {
    ...nothing,
    create: now.map((index) => ({ index, annotations: retryAnnotations(job, p.waiting.get(index)) })),
    requeueAfterMs: later.length === 0 ? undefined : Math.min(...later),
  };
}

function retryAnnotations(job: JobView, last: PodView | undefined): Record<string, string> {
  const counts = last === undefined || matchFailurePolicy(job, last).counts;
  const failures = (last === undefined ? 0 : countOf(last, indexFailureCountKey)) + (last !== undefined && counts ? 1 : 0);
  const ignored = (last === undefined ? 0 : countOf(last, indexIgnoredFailureCountKey)) + (last !== undefined && !counts ? 1 : 0);
  return { [indexFailureCountKey]: String(failures), ...(ignored === 0 ? {} : { [indexIgnoredFailureCountKey]: String(ignored) }) };
}

/** Duplicates of an index and indexes that are none go first, then the least far. */
function surplus(p: Picture, atLeast: number): readonly PodView[] {
  const order = [...p.active].sort(
    (a, b) => Number(isReady(b)) - Number(isReady(a)) || Number(Boolean(b.spec?.nodeName)) - Number(Boolean(a.spec?.nodeName)),
  );
  const remove: PodView[] = [];
  const kept: PodView[] = [];
  const seen = new Set<number>();
  for (const pod of order) {
    const index = isIndexed(p.job) ? validIndex(p.job, pod) : undefined;
    if (isIndexed(p.job) && (index === undefined || seen.has(index))) remove.push(pod);
    else {
      if (index !== undefined) seen.add(index);
      kept.push(pod);
    }
  }
  while (remove.length < atLeast) {
    const pod = kept.pop();
    if (pod === undefined) break;
    remove.push(pod);
  }
  return remove;
}

/** Books pods that are done with: noted as uncounted first, counted for good once their finalizer is seen gone. */
function release(
  p: Picture,
  outcome: JobCondition | undefined,
): Pick<JobDecision, 'release' | 'uncountedSucceeded' | 'uncountedFailed' | 'counted' | 'completedIndexes'> {
  const { job } = p;
  const tracked = new Set(p.pods.filter(isTracked).map((pod) => pod.metadata?.uid ?? ''));
  const [oldSucceeded, oldFailed] = [
    job.status?.uncountedTerminatedPods?.succeeded ?? [],
    job.status?.uncountedTerminatedPods?.failed ?? [],
  ];
  const succeeded = new Set(oldSucceeded.filter((uid) => tracked.has(uid)));
  const failed = new Set(oldFailed.filter((uid) => tracked.has(uid)));
  const counted = { succeeded: oldSucceeded.length - succeeded.size, failed: oldFailed.length - failed.size };
  const completed = isIndexed(job) ? parseIndexes(job.status?.completedIndexes, job.spec?.completions ?? 0) : undefined;
  const released: PodView[] = [];
  let noted = succeeded.size + failed.size;
  for (const pod of p.pods) {
    const uid = pod.metadata?.uid ?? '';
    if (!isTracked(pod) || !mayRelease(p, pod, outcome)) continue;
    if (noted >= maxUncounted) break;
    released.push(pod);
    const index = validIndex(job, pod);
    if (pod.status?.phase === 'Succeeded' && !failed.has(uid)) {
      if (completed === undefined) succeeded.add(uid);
      else if (index !== undefined) completed.add(index);
      noted += 1;
    } else if (hasFailed(job, pod) || outcome?.type === 'FailureTarget') {
      if ((completed !== undefined && index === undefined) || !matchFailurePolicy(job, pod).counts) continue;
      failed.add(uid);
      noted += 1;
    }
  }
  return { release: released, uncountedSucceeded: [...succeeded], uncountedFailed: [...failed], counted, completedIndexes: completed };
}

function mayRelease(p: Picture, pod: PodView, outcome: JobCondition | undefined): boolean {
  if (p.job.metadata?.deletionTimestamp !== undefined || outcome !== undefined || pod.status?.phase === 'Succeeded') return true;
  if (!hasFailed(p.job, pod)) return false;
  // It is the record of its index's failures until the next pod carries on from it.
  const index = completionIndex(pod);
  return index === undefined || p.waiting.get(index)?.metadata?.uid !== pod.metadata?.uid;
}

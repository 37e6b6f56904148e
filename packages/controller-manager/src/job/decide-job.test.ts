import type { Job, Pod } from '@skiff/api';
import { describe, expect, it } from 'vitest';
import { formatIndexes, parseIndexes } from './completion-indexes.ts';
import { decideJob, trackingFinalizer, type JobDecision } from './decide-job.ts';
import { nextBackoff, noFailures, remainingMs, type BackoffRecord } from './job-backoff.ts';
import { computeJobStatus } from './job-status.ts';

const nowMs = Date.UTC(2026, 0, 1, 1);
const job = (spec: Partial<NonNullable<Job['spec']>> = {}, status: Job['status'] = { startTime: '2026-01-01T00:59:00Z' }): Job => ({
  metadata: { name: 'work', namespace: 'ns', uid: 'j' },
  spec: { parallelism: 1, completions: 1, backoffLimit: 6, template: {}, completionMode: 'NonIndexed', ...spec },
  status,
});
const pod = (
  name: string,
  phase: string,
  o: {
    index?: number;
    tracked?: boolean;
    going?: boolean;
    exit?: number;
    condition?: string;
    ended?: string;
    annotations?: Record<string, string>;
  } = {},
): Pod => ({
  metadata: {
    name,
    namespace: 'ns',
    uid: name,
    creationTimestamp: '2026-01-01T00:59:00Z',
    finalizers: o.tracked === false ? [] : [trackingFinalizer],
    annotations: { ...(o.index === undefined ? {} : { 'batch.kubernetes.io/job-completion-index': String(o.index) }), ...o.annotations },
    ...(o.going === true ? { deletionTimestamp: '2026-01-01T00:59:30Z' } : {}),
  },
  spec: { containers: [] },
  status: {
    phase,
    conditions: o.condition === undefined ? [] : [{ type: o.condition, status: 'True' }],
    containerStatuses:
      o.exit === undefined
        ? []
        : ([
            { name: 'c', restartCount: 0, state: { terminated: { exitCode: o.exit, finishedAt: o.ended ?? '2026-01-01T00:30:00Z' } } },
          ] as NonNullable<Pod['status']>['containerStatuses'] & object),
  },
});
const decide = (j: Job, pods: Pod[], backoff: BackoffRecord = noFailures): JobDecision => decideJob({ job: j, pods, backoff, nowMs });
const outcome = (d: JobDecision): string | undefined =>
  d.outcome === undefined ? undefined : `${d.outcome.type} ${d.outcome.reason ?? ''}`;
const indexes = (d: JobDecision): (number | undefined)[] => d.create.map((c) => c.index);
const names = (pods: readonly { readonly metadata?: { readonly name?: string } }[]): string[] => pods.map((p) => p.metadata?.name ?? '');

describe('completion indexes', () => {
  it.each(['', '0', '0,1', '0-2', '0-2,4', '1,3,5-9'])('"%s" stays what it is', (text) => {
    expect(formatIndexes(parseIndexes(text, 100))).toBe(text);
  });
  it('cuts at the number of completions', () => {
    expect(formatIndexes(parseIndexes('0-9,20', 5))).toBe('0-4');
  });
});

describe('back-off', () => {
  it('doubles from 10 s to 10 min', () => {
    expect([1, 2, 3, 7, 20].map((n) => remainingMs(n, nowMs, nowMs))).toEqual([10_000, 20_000, 40_000, 600_000, 600_000]);
  });
  it('starts over with a success', () => {
    const failed = pod('f', 'Failed', { exit: 1, ended: '2026-01-01T00:20:00Z' });
    expect(nextBackoff({ failuresAfterLastSuccess: 3, lastFailureMs: 1 }, [pod('s', 'Succeeded', { exit: 0 })], [failed])).toEqual(
      noFailures,
    );
    expect(nextBackoff({ failuresAfterLastSuccess: 3, lastFailureMs: 1 }, [], [failed]).failuresAfterLastSuccess).toBe(4);
  });
});

describe('decideJob', () => {
  it('makes as many pods as parallelism and completions allow', () => {
    expect(decide(job({ parallelism: 5, completions: 3 }), []).create).toHaveLength(3);
    expect(decide(job({ parallelism: 2, completions: 3 }), [pod('a', 'Running')]).create).toHaveLength(1);
    expect(names(decide(job({ parallelism: 1, completions: 3 }), [pod('a', 'Running'), pod('b', 'Running')]).remove)).toHaveLength(1);
  });
  it('notes a success, lets the pod go, and is met when all are through', () => {
    const d = decide(job(), [pod('a', 'Succeeded')]);
    expect([outcome(d), names(d.release), d.uncountedSucceeded]).toEqual(['SuccessCriteriaMet CompletionsReached', ['a'], ['a']]);
    const first = computeJobStatus(job(), d, { made: 0, removed: 0, removedReady: 0, nowMs });
    expect([first.status.conditions?.map((c) => c.type), first.ended]).toEqual([['SuccessCriteriaMet'], undefined]);
    const later = job({}, first.status);
    const second = computeJobStatus(later, decide(later, []), { made: 0, removed: 0, removedReady: 0, nowMs });
    expect(second.status).toMatchObject({ succeeded: 1, active: 0, completionTime: '2026-01-01T01:00:00Z' });
    expect(second.status.conditions?.map((c) => `${c.type} ${c.reason ?? ''}`)).toEqual([
      'SuccessCriteriaMet CompletionsReached',
      'Complete CompletionsReached',
    ]);
  });
  it('waits after a failure', () => {
    const d = decide(job(), [pod('a', 'Failed', { exit: 1, ended: '2026-01-01T00:59:55Z' })]);
    expect([d.create.length, d.requeueAfterMs, d.uncountedFailed]).toEqual([0, 5_000, ['a']]);
  });
  it('fails beyond the limit, and ends what still runs', () => {
    const d = decide(job({ backoffLimit: 1, parallelism: 2, completions: 2 }, { startTime: '2026-01-01T00:00:00Z', failed: 1 }), [
      pod('a', 'Failed'),
      pod('b', 'Running'),
    ]);
    expect([outcome(d), names(d.remove), d.uncountedFailed]).toEqual(['FailureTarget BackoffLimitExceeded', ['b'], ['a', 'b']]);
  });
  it('fails at the deadline', () => {
    expect(outcome(decide(job({ activeDeadlineSeconds: 60 }), [pod('a', 'Running')]))).toBe('FailureTarget DeadlineExceeded');
    expect(decide(job({ activeDeadlineSeconds: 90 }), [pod('a', 'Running')]).requeueAfterMs).toBe(30_000);
  });
  it('does not end before terminating pods are gone', () => {
    const j = job({ podReplacementPolicy: 'Failed' });
    const d = decide(j, [pod('a', 'Succeeded'), pod('b', 'Running', { going: true })]);
    const change = computeJobStatus(j, { ...d, release: [], uncountedSucceeded: [] }, { made: 0, removed: 0, removedReady: 0, nowMs });
    expect([change.ended, change.status.terminating]).toEqual([undefined, 1]);
  });
  it('removes the pods of a suspended job without counting them', () => {
    const d = decide(job({ suspend: true }), [pod('a', 'Running')]);
    expect([names(d.remove), d.removeUncounted, outcome(d)]).toEqual([['a'], true, undefined]);
    expect(computeJobStatus(job({ suspend: true }), d, { made: 0, removed: 1, removedReady: 0, nowMs })).toMatchObject({
      suspension: 'Suspended',
      status: { active: 0 },
    });
  });
  it('follows the pod failure policy', () => {
    const policy = (action: string) => ({ podFailurePolicy: { rules: [{ action, onExitCodes: { operator: 'In', values: [42] } }] } });
    expect(outcome(decide(job(policy('FailJob')), [pod('a', 'Failed', { exit: 42 })]))).toBe('FailureTarget PodFailurePolicy');
    expect(outcome(decide(job(policy('FailJob')), [pod('a', 'Failed', { exit: 1 })]))).toBeUndefined();
    const ignored = decide(job(policy('Ignore'), { failed: 6 }), [pod('a', 'Failed', { exit: 42 })]);
    expect([outcome(ignored), ignored.uncountedFailed, names(ignored.release)]).toEqual([undefined, [], ['a']]);
    const evicted = {
      podFailurePolicy: { rules: [{ action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] }] },
    };
    expect(decide(job(evicted), [pod('a', 'Failed', { condition: 'DisruptionTarget' })]).uncountedFailed).toEqual([]);
  });
});

describe('decideJob, indexed', () => {
  const indexed = (spec: Partial<NonNullable<Job['spec']>> = {}, status?: Job['status']): Job =>
    job({ completionMode: 'Indexed', parallelism: 5, completions: 5, ...spec }, status ?? { startTime: '2026-01-01T00:59:00Z' });
  it('fills the lowest free indexes', () => {
    expect(indexes(decide(indexed({ parallelism: 3 }, { completedIndexes: '0' }), [pod('b', 'Running', { index: 2 })]))).toEqual([1, 3]);
  });
  it('keeps one pod for an index', () => {
    expect(
      decide(indexed(), [pod('a', 'Running', { index: 0 }), pod('b', 'Running', { index: 0 }), pod('c', 'Running', { index: 9 })]).remove,
    ).toHaveLength(2);
  });
  it('ends by the success policy', () => {
    const d = decide(indexed({ successPolicy: { rules: [{ succeededIndexes: '0', succeededCount: 1 }] } }), [
      pod('a', 'Succeeded', { index: 0 }),
      pod('b', 'Running', { index: 1 }),
    ]);
    expect([outcome(d), names(d.remove), names(d.release), d.uncountedFailed]).toEqual([
      'SuccessCriteriaMet SuccessPolicy',
      ['b'],
      ['a', 'b'],
      [],
    ]);
  });
  it('counts failures for each index', () => {
    const perIndex = indexed({ backoffLimit: 2 ** 31 - 1, backoffLimitPerIndex: 1, parallelism: 1, completions: 2 });
    const first = decide(perIndex, [
      pod('a', 'Failed', {
        index: 0,
        exit: 1,
        ended: '2026-01-01T00:00:00Z',
        annotations: { 'batch.kubernetes.io/job-index-failure-count': '0' },
      }),
    ]);
    // The pod stays until its index has a new one, which carries the count on.
    expect([names(first.release), first.create]).toEqual([
      [],
      [{ index: 0, annotations: { 'batch.kubernetes.io/job-index-failure-count': '1' } }],
    ]);
    const second = decide(perIndex, [
      pod('b', 'Failed', { index: 0, exit: 1, annotations: { 'batch.kubernetes.io/job-index-failure-count': '1' } }),
    ]);
    expect([[...(second.failedIndexes ?? [])], indexes(second), names(second.release)]).toEqual([[0], [1], ['b']]);
    const all = decide(indexed({ backoffLimitPerIndex: 0, parallelism: 2, completions: 2 }, { completedIndexes: '1' }), [
      pod('a', 'Failed', { index: 0, exit: 1 }),
    ]);
    expect(outcome(all)).toBe('FailureTarget FailedIndexes');
    const many = decide(indexed({ backoffLimitPerIndex: 0, maxFailedIndexes: 0 }), [pod('a', 'Failed', { index: 0, exit: 1 })]);
    expect(outcome(many)).toBe('FailureTarget MaxFailedIndexesExceeded');
  });
});

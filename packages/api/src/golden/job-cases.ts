import type { Json, JsonObject } from '@skiff/apimachinery';
import { type GoldenCase, one } from './case.ts';

const job = one('job');
const cronJob = one('cronJob');

const pods = (more: JsonObject = {}): JsonObject => ({
  spec: { containers: [{ name: 'c', image: 'x' }], restartPolicy: 'Never', ...more },
});
const run = (spec: JsonObject = {}, more: JsonObject = {}): JsonObject => ({ ...more, spec: { template: pods(), ...spec } });
const indexed = (spec: JsonObject = {}): JsonObject => run({ completionMode: 'Indexed', completions: 3, ...spec });
const on = (schedule: string, spec: JsonObject = {}): JsonObject => ({ spec: { schedule, jobTemplate: run(), ...spec } });
const failurePolicy = (...rules: Json[]): JsonObject => ({ podFailurePolicy: { rules } });
const successPolicy = (...rules: Json[]): JsonObject => ({ successPolicy: { rules } });
const codes = (values: number[], more: JsonObject = {}): JsonObject => ({
  action: 'FailJob',
  onExitCodes: { operator: 'In', values, ...more },
});
const time = (hour: number): string => `2026-01-01T0${hour}:00:00Z`;
const condition = (type: string, status = 'True'): JsonObject => ({ type, status });
const status = (name: string, object: JsonObject, value: JsonObject): GoldenCase =>
  job(name, object, { change: { status: value }, subresource: 'status' });

export const jobCases: readonly GoldenCase[] = [
  job('plain', run()),
  job('labels', run({ template: { ...pods(), metadata: { labels: { a: 'b' } } } })),
  job(
    'manual',
    run({ manualSelector: true, selector: { matchLabels: { a: 'b' } }, template: { ...pods(), metadata: { labels: { a: 'b' } } } }),
  ),
  job('manual without', run({ manualSelector: true })),
  job('other selector', run({ selector: { matchLabels: { 'batch.kubernetes.io/controller-uid': 'x' } } })),
  job('other name label', run({ template: { ...pods(), metadata: { labels: { 'job-name': 'other' } } } })),
  job('numbers', run({ parallelism: -1, completions: -1, activeDeadlineSeconds: -1, backoffLimit: -1, ttlSecondsAfterFinished: -1 })),
  job('indexed numbers', indexed({ parallelism: 100_001, maxFailedIndexes: 4 })),
  job('index without mode', run({ backoffLimitPerIndex: 1, maxFailedIndexes: 1 })),
  job('index without number', run({ completionMode: 'Indexed', parallelism: 1 })),
  job('unknown mode', run({ completionMode: 'Random' })),
  job('many', indexed({ completions: 100_001, parallelism: 10_001, backoffLimitPerIndex: 1, maxFailedIndexes: 10_001 })),
  job('many without limit', indexed({ completions: 100_001, backoffLimitPerIndex: 1 })),
  job('very many', indexed({ completions: 200_000, parallelism: 20_000 })),
  job('managed', run({ managedBy: 'example.com/x' })),
  job('managed badly', run({ managedBy: 'A_/x?' })),
  job('managed by nobody', run({ managedBy: 'x' })),
  job('restarts', run({ template: pods({ restartPolicy: 'Always' }) })),
  job('restarts oddly', run({ template: pods({ restartPolicy: 'Odd' }) })),
  job('restarts with policy', run({ template: pods({ restartPolicy: 'OnFailure' }), ...failurePolicy(codes([1])) })),
  job('replacement', run({ podReplacementPolicy: 'Never' })),
  job('replacement with policy', run({ podReplacementPolicy: 'TerminatingOrFailed', ...failurePolicy(codes([1])) })),
  job('failure policy', run(failurePolicy(codes([1, 2]), { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget' }] }))),
  job(
    'failure rules',
    run(
      failurePolicy(
        codes([], { operator: 'Is', containerName: 'd' }),
        codes([2, 0, 2]),
        { action: 'FailIndex', onPodConditions: [{ type: 'a b', status: 'Odd' }] },
        { action: 'Panic' },
        { action: '', onExitCodes: { operator: 'NotIn', values: [1] }, onPodConditions: [{ type: 'a' }] },
      ),
    ),
  ),
  job('success policy', indexed(successPolicy({ succeededIndexes: '0-1', succeededCount: 1 }))),
  job(
    'success rules',
    indexed(
      successPolicy(
        {},
        { succeededIndexes: '1-0' },
        { succeededIndexes: '5' },
        { succeededIndexes: 'a' },
        { succeededIndexes: '0-1-2' },
        { succeededIndexes: '1,0' },
        { succeededCount: 4 },
        { succeededCount: 2, succeededIndexes: '0' },
      ),
    ),
  ),
  job('success without rules', indexed(successPolicy())),
  job('success not indexed', run(successPolicy({ succeededCount: 1 }))),
  job('name too long for pods', { ...indexed(), metadata: { name: `a${'b'.repeat(61)}` } }),
  job('dotted name', run({}, { metadata: { name: 'a.b' } })),
  job('template', run({ template: { spec: { containers: [] } } })),
  job('other completions', run({ completions: 2 }), { change: { spec: { completions: 3, parallelism: 3 } } }),
  job('other indexes', indexed(), { change: { spec: { completions: 4 } } }),
  job('other indexes in step', indexed({ parallelism: 3 }), { change: { spec: { completions: 4, parallelism: 4 } } }),
  job('frozen', run(), {
    change: { spec: { completionMode: 'Indexed', managedBy: 'a/b', template: { spec: { nodeSelector: { a: 'b' } } } } },
  }),
  job('frozen policies', run(failurePolicy(codes([1]))), { change: { spec: failurePolicy(codes([2])) } }),
  job('other selector later', run(), { change: { spec: { selector: { matchLabels: { x: 'y' } } } } }),
  job('suspended', run({ suspend: true }), {
    change: {
      spec: {
        template: {
          metadata: { labels: { a: 'b' } },
          spec: {
            nodeSelector: { a: 'b' },
            containers: [
              {
                name: 'c',
                image: 'x',
                imagePullPolicy: 'Always',
                terminationMessagePath: '/dev/termination-log',
                terminationMessagePolicy: 'File',
                resources: { requests: { cpu: '1' } },
              },
            ],
          },
        },
      },
    },
  }),
  job('suspended other image', run({ suspend: true }), {
    change: { spec: { template: { spec: { containers: [{ name: 'c', image: 'y' }] } } } },
  }),

  status('counts', run(), { active: -1, succeeded: -1, failed: -1, ready: -1, terminating: -1 }),
  status('ready', run(), { active: 1, ready: 2 }),
  status('uncounted', run(), { uncountedTerminatedPods: { succeeded: ['', 'a'], failed: ['a', 'b', 'b'] } }),
  status('complete', run(), {
    startTime: time(1),
    completionTime: time(2),
    succeeded: 1,
    conditions: [condition('SuccessCriteriaMet'), condition('Complete')],
  }),
  status('complete at once', run(), { conditions: [condition('Complete')] }),
  status('complete and failed', run(), {
    conditions: [condition('Complete'), condition('Failed'), condition('FailureTarget')],
    active: 1,
    terminating: 1,
    startTime: time(2),
    completionTime: time(1),
  }),
  status('failed', run(), {
    conditions: [condition('Failed'), condition('SuccessCriteriaMet')],
    uncountedTerminatedPods: { failed: ['a'] },
  }),
  status('time without completion', run(), { completionTime: time(1) }),
  status('indexes', indexed(), { completedIndexes: '0-5', failedIndexes: '1' }),
  status('indexes of both kinds', indexed({ backoffLimitPerIndex: 1 }), { completedIndexes: '0-1', failedIndexes: '1-2' }),
  status('indexes not indexed', run(), { completedIndexes: '0' }),

  cronJob('plain', on('*/5 0-3 ? jan,FEB mon-fri/2')),
  cronJob('every', on('@every 1h30m')),
  cronJob('nothing', { spec: {} }),
  cronJob('fields', on('* * *')),
  cronJob('minutes', on('60 * * * *')),
  cronJob('months', on('* * * 0 *')),
  cronJob('backwards', on('5-1 * * * *')),
  cronJob('step', on('*/0 * * * *')),
  cronJob('step of what', on('*/x * * * *')),
  cronJob('slashes', on('*/1/2 * * * *')),
  cronJob('hyphens', on('1-2-3 * * * *')),
  cronJob('word', on('x * * * *')),
  cronJob('unknown name', on('@noon')),
  cronJob('zone in schedule', on('TZ=UTC * * * * *')),
  cronJob('unknown zone in schedule', on('TZ=Nowhere/Land * * * * *')),
  cronJob('zone', on('@daily', { timeZone: 'Europe/Berlin' })),
  cronJob('unknown zone', on('@daily', { timeZone: 'Nowhere/Land' })),
  cronJob('zone without name', on('@daily', { timeZone: '' })),
  cronJob('zone out of the way', on('@daily', { timeZone: '../x' })),
  cronJob('local zone', on('@daily', { timeZone: 'Local' })),
  cronJob(
    'policy',
    on('@daily', { concurrencyPolicy: 'Perhaps', successfulJobsHistoryLimit: -1, failedJobsHistoryLimit: -1, startingDeadlineSeconds: -1 }),
  ),
  cronJob(
    'template',
    on('@daily', {
      jobTemplate: run({ selector: { matchLabels: { a: 'b' } }, manualSelector: true, template: pods({ restartPolicy: 'Always' }) }),
    }),
  ),
  cronJob('long name', { ...on('@daily'), metadata: { name: 'a'.repeat(53) } }),
  cronJob('dotted name', { ...on('@daily'), metadata: { name: 'a.b' } }),
  cronJob('other schedule', on('@daily'), { change: { spec: { schedule: '* *', suspend: true } } }),
];

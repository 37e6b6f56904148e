import type { Pod, StatefulSet } from '@skiff/api';
import { describe, expect, it } from 'vitest';
import { computeStatefulSetStatus, planStatefulSet, type StatefulSetAction, type StatefulSetInput } from './plan-stateful-set.ts';

const set = (
  replicas: number,
  o: { policy?: string; partition?: number; strategy?: string; current?: number; start?: number } = {},
): StatefulSet => ({
  metadata: { name: 'db', namespace: 'ns', uid: 's', generation: 1 },
  spec: {
    replicas,
    selector: { matchLabels: { app: 'db' } },
    template: {},
    podManagementPolicy: o.policy ?? 'OrderedReady',
    updateStrategy: { type: o.strategy ?? 'RollingUpdate', rollingUpdate: { partition: o.partition ?? 0 } },
    ...(o.start === undefined ? {} : { ordinals: { start: o.start } }),
  },
  status: { replicas: 0, currentReplicas: o.current ?? 0 },
});
type State = 'ready' | 'running' | 'pending' | 'failed' | 'going';
const pod = (ordinal: number, state: State = 'ready', revision = 'new'): Pod => ({
  metadata: {
    name: `db-${ordinal}`,
    namespace: 'ns',
    uid: `p${ordinal}`,
    labels: { 'controller-revision-hash': revision, 'statefulset.kubernetes.io/pod-name': `db-${ordinal}` },
    ...(state === 'going' ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}),
  },
  spec: { containers: [] },
  status: {
    phase: state === 'pending' ? 'Pending' : state === 'failed' ? 'Failed' : 'Running',
    conditions: [
      { type: 'Ready', status: state === 'ready' || state === 'going' ? 'True' : 'False', lastTransitionTime: '2026-01-01T00:00:00Z' },
    ],
  },
});
const input = (s: StatefulSet, pods: Pod[]): StatefulSetInput => ({
  set: s,
  pods,
  currentRevision: 'old',
  updateRevision: 'new',
  claimsMatch: () => true,
  nowMs: Date.UTC(2026, 0, 2),
});
const say = (a: StatefulSetAction): string =>
  a.do === 'create' ? `create ${a.ordinal} ${a.revision}` : `${a.do} ${a.pod.metadata?.name ?? ''}`;
const plan = (s: StatefulSet, pods: Pod[]): string[] => planStatefulSet(input(s, pods)).map(say);

describe('planStatefulSet, in order', () => {
  it.each([
    ['the first pod first', set(3), [], ['create 0 update']],
    ['waits for it', set(3), [pod(0, 'running')], []],
    ['asks for its claims while it is pending', set(3), [pod(0, 'pending')], ['claims db-0']],
    ['then the next', set(3), [pod(0)], ['create 1 update']],
    ['fills a gap before going on', set(3), [pod(0), pod(2)], ['create 1 update']],
    ['replaces one that failed', set(3), [pod(0, 'failed'), pod(1)], ['delete db-0']],
    ['waits for one that terminates', set(3), [pod(0), pod(1, 'going'), pod(2)], []],
    ['is content', set(2), [pod(0), pod(1)], []],
    ['scales down from the top', set(1), [pod(0), pod(1), pod(2)], ['delete db-2']],
    ['one by one', set(1), [pod(0), pod(1), pod(2, 'going')], []],
    ['not past one that is not well', set(1), [pod(0), pod(1, 'running'), pod(2)], ['delete db-2']],
    ['but the unwell one itself', set(1), [pod(0), pod(1, 'running')], ['delete db-1']],
    ['starts where it is told', set(2, { start: 5 }), [pod(5)], ['create 6 update']],
    ['removes what lies below the start', set(1, { start: 5 }), [pod(5), pod(0)], ['delete db-0']],
    ['ignores pods of other names', set(1), [pod(0)], []],
  ] as const)('%s', (_name, s, pods, expected) => {
    expect(plan(s, [...pods])).toEqual(expected);
  });
});

describe('planStatefulSet, in parallel', () => {
  const burst = (replicas: number): StatefulSet => set(replicas, { policy: 'Parallel' });
  it.each([
    ['creates all at once', burst(3), [], ['create 0 update', 'create 1 update', 'create 2 update']],
    ['whatever the others do', burst(3), [pod(0, 'running'), pod(1, 'going')], ['create 2 update']],
    ['removes all at once', burst(1), [pod(0, 'running'), pod(1), pod(2)], ['delete db-2', 'delete db-1']],
  ] as const)('%s', (_name, s, pods, expected) => {
    expect(plan(s, [...pods])).toEqual(expected);
  });
});

describe('planStatefulSet, updating', () => {
  it.each([
    ['the highest first', set(3), [pod(0, 'ready', 'old'), pod(1, 'ready', 'old'), pod(2, 'ready', 'old')], ['delete db-2']],
    ['waits for it', set(3), [pod(0, 'ready', 'old'), pod(1, 'ready', 'old'), pod(2, 'running')], []],
    ['then the next', set(3), [pod(0, 'ready', 'old'), pod(1, 'ready', 'old'), pod(2)], ['delete db-1']],
    ['not below the partition', set(3, { partition: 2 }), [pod(0, 'ready', 'old'), pod(1, 'ready', 'old'), pod(2)], []],
    ['re-creates below the partition as it was', set(3, { partition: 2 }), [pod(1, 'ready', 'old'), pod(2)], ['create 0 current']],
    ['not at all by itself', set(2, { strategy: 'OnDelete' }), [pod(0, 'ready', 'old'), pod(1, 'ready', 'old')], []],
  ] as const)('%s', (_name, s, pods, expected) => {
    expect(plan(s, [...pods])).toEqual(expected);
  });
});

describe('computeStatefulSetStatus', () => {
  it('counts by revision', () => {
    expect(computeStatefulSetStatus(input(set(3), [pod(0, 'ready', 'old'), pod(1, 'going', 'old'), pod(2, 'running')]), 0)).toMatchObject({
      replicas: 3,
      readyReplicas: 2,
      currentReplicas: 1,
      updatedReplicas: 1,
      currentRevision: 'old',
      updateRevision: 'new',
    });
  });
  it('makes the new revision the current one when all are through', () => {
    expect(computeStatefulSetStatus(input(set(2), [pod(0), pod(1)]), 0)).toMatchObject({ currentRevision: 'new', currentReplicas: 2 });
  });
});

import type { Deployment, ReplicaSet } from '@skiff/api';
import { describe, expect, it } from 'vitest';
import {
  isScalingEvent,
  maxSurge,
  maxUnavailable,
  newReplicaSetSize,
  planHistoryCleanup,
  planRollingStep,
  planScale,
  type ScaleStep,
} from './scaling.ts';

const deployment = (
  replicas: number,
  o: { surge?: number | string; unavailable?: number | string; type?: string; status?: number; limit?: number } = {},
): Deployment => ({
  metadata: { name: 'web' },
  spec: {
    replicas,
    selector: {},
    template: {},
    revisionHistoryLimit: o.limit ?? 10,
    strategy:
      o.type === 'Recreate'
        ? { type: 'Recreate' }
        : { type: 'RollingUpdate', rollingUpdate: { maxSurge: o.surge ?? '25%', maxUnavailable: o.unavailable ?? '25%' } },
  },
  status: { replicas: o.status ?? 0 },
});
let age = 0;
const set = (
  name: string,
  replicas: number,
  o: { available?: number; desired?: number; max?: number; revision?: number; running?: number } = {},
): ReplicaSet => ({
  metadata: {
    name,
    generation: 1,
    creationTimestamp: `2026-01-01T00:00:${String(age++ % 60).padStart(2, '0')}Z`,
    annotations: {
      ...(o.desired === undefined ? {} : { 'deployment.kubernetes.io/desired-replicas': String(o.desired) }),
      ...(o.max === undefined ? {} : { 'deployment.kubernetes.io/max-replicas': String(o.max) }),
      ...(o.revision === undefined ? {} : { 'deployment.kubernetes.io/revision': String(o.revision) }),
    },
  },
  spec: { replicas, selector: {} },
  status: { replicas: o.running ?? replicas, availableReplicas: o.available ?? replicas, observedGeneration: 1 },
});
const sizes = (steps: readonly ScaleStep[]): Record<string, number> =>
  Object.fromEntries(steps.map((s) => [s.set.metadata?.name ?? '', s.replicas]));

describe('surge and unavailability', () => {
  it.each([
    [10, '25%', '25%', 3, 2],
    [1, '25%', '25%', 1, 0],
    [1, 0, '25%', 0, 1],
    [4, 0, 0, 0, 1],
    [0, '25%', 5, 0, 0],
    [3, 1, 10, 1, 3],
  ])('%i replicas, surge %s, unavailable %s: %i and %i', (replicas, surge, unavailable, up, down) => {
    const d = deployment(replicas, { surge, unavailable });
    expect([maxSurge(d), maxUnavailable(d)]).toEqual([up, down]);
  });
});

describe('newReplicaSetSize', () => {
  it.each([
    [deployment(10, { surge: 3 }), [set('old', 10)], undefined, 3],
    [deployment(10, { surge: 3 }), [set('old', 8)], set('new', 3), 5],
    [deployment(10, { surge: 3 }), [set('old', 13)], set('new', 1), 1],
    [deployment(2, { surge: 5 }), [], undefined, 2],
    [deployment(7, { type: 'Recreate' }), [set('old', 7)], undefined, 7],
  ] as const)('case %#', (d, old, current, expected) => {
    expect(newReplicaSetSize(d, old, current)).toBe(expected);
  });
});

describe('planRollingStep', () => {
  const ten = deployment(10, { surge: 3, unavailable: 2 });
  it('grows the new ReplicaSet by the surge first', () => {
    expect(sizes(planRollingStep(ten, set('new', 0), [set('old', 10)]))).toEqual({ new: 3 });
  });
  it('then shrinks the old one as far as may be unavailable', () => {
    expect(sizes(planRollingStep(ten, set('new', 3, { available: 0 }), [set('old', 10)]))).toEqual({ old: 8 });
  });
  it('stops while new pods do not come up', () => {
    expect(planRollingStep(ten, set('new', 5, { available: 0 }), [set('old', 8)])).toEqual([]);
  });
  it('drops unhealthy old pods first, the oldest set first', () => {
    const [a, b] = [set('a', 5, { available: 2 }), set('b', 5)];
    expect(sizes(planRollingStep(ten, set('new', 3), [a, b]))).toEqual({ a: 0 });
    expect(
      sizes(
        planRollingStep(deployment(10, { surge: 0, unavailable: 2 }), set('new', 0, { available: 0 }), [set('a', 10, { available: 5 })]),
      ),
    ).toEqual({ a: 8 });
  });
  it('shrinks a new ReplicaSet that is too large', () => {
    expect(sizes(planRollingStep(deployment(2), set('new', 4), []))).toEqual({ new: 2 });
  });
  it('is done when only the new one is left', () => {
    expect(planRollingStep(ten, set('new', 10), [set('old', 0)])).toEqual([]);
  });
});

describe('planScale', () => {
  it('gives the whole change to the only active ReplicaSet', () => {
    expect(sizes(planScale(deployment(5), set('new', 3), [set('old', 0)]))).toEqual({ new: 5 });
    expect(sizes(planScale(deployment(5), undefined, [set('a', 0), set('b', 0)]))).toEqual({ b: 5 });
  });
  it('spreads it in proportion in mid-rollout: 10 to 30 with 8 + 5 gives 20 + 13', () => {
    const d = deployment(30, { surge: 3, unavailable: 2, status: 13 });
    const old = set('old', 8, { desired: 10, max: 13 });
    expect(sizes(planScale(d, set('new', 5, { available: 0, desired: 10, max: 13 }), [old]))).toEqual({ old: 20, new: 13 });
  });
  it('scales all down in proportion, and to nothing', () => {
    const old = set('old', 8, { desired: 10, max: 13 });
    const fresh = set('new', 5, { available: 0, desired: 10, max: 13 });
    expect(sizes(planScale(deployment(0, { surge: 3, unavailable: 2, status: 13 }), fresh, [old]))).toEqual({ old: 0, new: 0 });
    const down = sizes(planScale(deployment(5, { surge: 3, unavailable: 2, status: 13 }), fresh, [old]));
    expect((down['old'] ?? 0) + (down['new'] ?? 0)).toBe(8);
  });
  it('lets old ones go when the new one has all it should', () => {
    expect(sizes(planScale(deployment(3), set('new', 3, { desired: 3 }), [set('old', 2)]))).toEqual({ old: 0 });
  });
});

describe('isScalingEvent', () => {
  it('compares with what active ReplicaSets were last told', () => {
    expect(isScalingEvent(deployment(5), [set('a', 3, { desired: 3 })])).toBe(true);
    expect(isScalingEvent(deployment(5), [set('a', 5, { desired: 5 }), set('b', 0, { desired: 3 })])).toBe(false);
  });
});

describe('planHistoryCleanup', () => {
  it('removes the oldest revisions beyond the limit that run nothing', () => {
    const old = [
      set('r3', 0, { revision: 3 }),
      set('r1', 0, { revision: 1 }),
      set('r2', 0, { revision: 2, running: 1 }),
      set('r4', 0, { revision: 4 }),
    ];
    expect(planHistoryCleanup(deployment(1, { limit: 1 }), old).map((s) => s.metadata?.name)).toEqual(['r1', 'r3']);
    expect(planHistoryCleanup(deployment(1, { limit: 4 }), old)).toEqual([]);
  });
});

import type { Deployment, DeploymentStatus, ReplicaSet } from '@skiff/api';
import { describe, expect, it } from 'vitest';
import { computeRolloutStatus, nextProgressCheckMs, sameDeploymentStatus } from './deployment-status.ts';

const nowMs = Date.UTC(2026, 0, 1, 0, 10);
const d = (status: DeploymentStatus = {}): Deployment => ({
  metadata: { name: 'web', generation: 2 },
  spec: {
    replicas: 3,
    selector: {},
    template: {},
    progressDeadlineSeconds: 600,
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 1 } },
  },
  status,
});
const set = (name: string, replicas: number, ready = replicas): ReplicaSet => ({
  metadata: { name },
  spec: { replicas, selector: {} },
  status: { replicas, readyReplicas: ready, availableReplicas: ready, observedGeneration: 1, terminatingReplicas: 0 },
});
const compute = (deployment: Deployment, newSet: ReplicaSet, old: ReplicaSet[] = []): DeploymentStatus =>
  computeRolloutStatus({ deployment, recorded: structuredClone(deployment.status ?? {}), newSet, sets: [...old, newSet], nowMs });
const progressing = (s: DeploymentStatus): string => {
  const c = s.conditions?.find((x) => x.type === 'Progressing');
  return `${c?.status ?? ''} ${c?.reason ?? ''}: ${c?.message ?? ''}`;
};
const condition = (reason: string, updated: string, status = 'True') => ({
  type: 'Progressing',
  status,
  reason,
  message: 'm',
  lastUpdateTime: updated,
  lastTransitionTime: updated,
});

describe('computeRolloutStatus', () => {
  it('counts over all ReplicaSets', () => {
    expect(compute(d(), set('new', 1, 0), [set('old', 2)])).toMatchObject({
      replicas: 3,
      updatedReplicas: 1,
      readyReplicas: 2,
      availableReplicas: 2,
      unavailableReplicas: 1,
      terminatingReplicas: 0,
      observedGeneration: 2,
    });
  });
  it('reports progress, then success', () => {
    expect(progressing(compute(d(), set('web-1', 3, 1)))).toBe('True ReplicaSetUpdated: ReplicaSet "web-1" is progressing.');
    expect(progressing(compute(d(), set('web-1', 3)))).toBe('True NewReplicaSetAvailable: ReplicaSet "web-1" has successfully progressed.');
  });
  it('moves the time of the last progress on, not that of the transition', () => {
    const before = compute(d({ conditions: [condition('ReplicaSetUpdated', '2026-01-01T00:00:00Z')] }), set('web-1', 3, 1));
    expect(before.conditions?.find((c) => c.type === 'Progressing')).toMatchObject({
      lastUpdateTime: '2026-01-01T00:10:00Z',
      lastTransitionTime: '2026-01-01T00:00:00Z',
    });
  });
  it('times out ten minutes after the last progress', () => {
    const still = { replicas: 3, updatedReplicas: 3, readyReplicas: 1, availableReplicas: 1 };
    const late = d({ ...still, conditions: [condition('ReplicaSetUpdated', '2025-12-31T23:59:59Z')] });
    expect(progressing(compute(late, set('web-1', 3, 1)))).toBe(
      'False ProgressDeadlineExceeded: ReplicaSet "web-1" has timed out progressing.',
    );
    const inTime = d({ ...still, conditions: [condition('ReplicaSetUpdated', '2026-01-01T00:00:01Z')] });
    expect(progressing(compute(inTime, set('web-1', 3, 1)))).toBe('True ReplicaSetUpdated: m');
    expect(nextProgressCheckMs(inTime, compute(inTime, set('web-1', 3, 1)), nowMs)).toBe(2000);
  });
  it('leaves a finished rollout alone when pods fail later', () => {
    const done = d({
      replicas: 3,
      updatedReplicas: 3,
      availableReplicas: 3,
      readyReplicas: 3,
      conditions: [condition('NewReplicaSetAvailable', '2025-01-01T00:00:00Z')],
    });
    const status = compute(done, set('web-1', 3, 0));
    expect(progressing(status)).toBe('True NewReplicaSetAvailable: m');
    expect(nextProgressCheckMs(done, status, nowMs)).toBeUndefined();
  });
  it('takes over failures of ReplicaSets and drops them again', () => {
    const failing = set('web-1', 0);
    failing.status = {
      ...failing.status,
      replicas: 0,
      conditions: [
        { type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message: 'quota', lastTransitionTime: '2026-01-01T00:00:00Z' },
      ],
    };
    const status = compute(d(), failing);
    expect(status.conditions?.find((c) => c.type === 'ReplicaFailure')).toMatchObject({ reason: 'FailedCreate', message: 'quota' });
    expect(compute(d(status), set('web-1', 3)).conditions?.some((c) => c.type === 'ReplicaFailure')).toBe(false);
  });
  it('does not see a difference between zero and absent', () => {
    expect(sameDeploymentStatus({ observedGeneration: 2 }, { observedGeneration: 2, replicas: 0, conditions: [] })).toBe(true);
  });
});

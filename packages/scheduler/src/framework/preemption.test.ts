import type { PodDisruptionBudget } from '@skiff/api';
import { FakeClock } from '@skiff/component-base';
import { describe, expect, it } from 'vitest';
import { createDefaultProfile } from '../default-profile.ts';
import { runCycle } from './cycle.ts';
import { formatDiagnosis } from './diagnosis.ts';
import { pickCandidate, type Candidate } from './preemption.ts';
import type { PodInfo } from './pod-info.ts';
import { cluster, node, podInfo, type PodParts } from './test-objects.ts';

const unused = (): never => {
  throw new Error('not used here');
};
const profileWith = (budgets: readonly PodDisruptionBudget[]) =>
  createDefaultProfile({
    client: {} as never,
    clock: new FakeClock(),
    events: { event: unused },
    random: () => 0,
    siblingsOf: () => undefined,
    claims: {} as never,
    volumes: {} as never,
    classes: {} as never,
    csiNodes: undefined as never,
    drivers: undefined as never,
    capacities: undefined as never,
    attachments: undefined as never,
    budgets: () => budgets,
    clearNomination: unused,
    preempted: () => undefined,
  });

/** The node that preemption would clear for a pod, or the message. */
function preempt(pod: PodInfo, state: ReturnType<typeof cluster>, budgets: readonly PodDisruptionBudget[] = []): string {
  const profile = profileWith(budgets);
  const result = runCycle(pod, state, profile, { startIndex: 0, random: () => 0 });
  if (result.outcome === 'placed') return `fits on ${result.nodeName}`;
  const outcome = profile.postFilter[0]?.postFilter(pod, result.diagnosis, result.context);
  result.diagnosis.postFilterMessage = outcome?.message;
  return outcome?.nominatedNode || formatDiagnosis(result.diagnosis);
}

const sized = (cpu: string, priority: number, more: PodParts = {}): PodInfo =>
  podInfo({ requests: { cpu }, ...more, spec: { priority, ...more.spec } });

describe('preemption', () => {
  it('clears the node where the least important pods are', () => {
    const state = cluster([node('a'), node('b'), node('c')], { a: [sized('4', 5)], b: [sized('4', 1)], c: [sized('4', 50)] });
    expect(preempt(sized('1', 10), state)).toBe('b');
  });

  it('lets stay who can stay', () => {
    const state = cluster([node('a'), node('b')], {
      a: [sized('2', 1), sized('2', 2)],
      b: [sized('4', 2)],
    });
    // On a, only the pod of priority 1 has to go.
    expect(preempt(sized('2', 10), state)).toBe('a');
  });

  it('says why it does not help', () => {
    const state = cluster(
      [node('a'), node('b', { allocatable: { cpu: '1', pods: '10' } }), node('c', { taints: [{ key: 'k', effect: 'NoSchedule' }] })],
      {
        a: [sized('4', 100)],
      },
    );
    expect(preempt(sized('2', 10), state)).toBe(
      '0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 Insufficient cpu. preemption: 0/3 nodes are available: 1 No preemption victims found for incoming pod, 2 Preemption is not helpful for scheduling.',
    );
  });

  it('is not for pods that must not', () => {
    const state = cluster([node('a')], { a: [sized('4', 1)] });
    expect(preempt(sized('2', 10, { spec: { preemptionPolicy: 'Never' } }), state)).toBe(
      '0/1 nodes are available: 1 Insufficient cpu. preemption: not eligible due to preemptionPolicy=Never.',
    );
  });

  it('waits while those it has sent away are leaving', () => {
    const leaving = sized('4', 1, {
      metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' },
      status: { conditions: [{ type: 'DisruptionTarget', status: 'True', reason: 'PreemptionByScheduler' }] },
    });
    const state = cluster([node('a')], { a: [leaving] });
    expect(preempt(sized('2', 10, { status: { nominatedNodeName: 'a' } }), state)).toBe(
      '0/1 nodes are available: 1 Insufficient cpu. preemption: not eligible due to a terminating pod on the nominated node.',
    );
  });

  it('spares disruption budgets', () => {
    const guarded = { labels: { app: 'db' } };
    const state = cluster([node('a'), node('b')], { a: [sized('4', 1, guarded)], b: [sized('4', 2)] });
    const budget: PodDisruptionBudget = {
      metadata: { name: 'db', namespace: 'default' },
      spec: { selector: { matchLabels: { app: 'db' } } },
      status: { disruptionsAllowed: 0, currentHealthy: 1, desiredHealthy: 1, expectedPods: 1 },
    };
    expect(preempt(sized('1', 10), state)).toBe('a');
    expect(preempt(sized('1', 10), state, [budget])).toBe('b');
  });

  it('frees host ports and breaks anti-affinity too', () => {
    const port: PodParts['spec'] = { containers: [{ name: 'c', image: 'i', ports: [{ containerPort: 80, hostPort: 80 }] }] };
    expect(
      preempt(podInfo({ spec: { priority: 10, ...port } }), cluster([node('a')], { a: [podInfo({ spec: { priority: 1, ...port } })] })),
    ).toBe('a');
    const alone: PodParts = {
      labels: { app: 'x' },
      spec: {
        affinity: {
          podAntiAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: [
              { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { app: 'x' } } },
            ],
          },
        },
      },
    };
    const state = cluster([node('a')], { a: [podInfo({ ...alone, spec: { ...alone.spec, priority: 1 } })] });
    expect(preempt(podInfo({ ...alone, spec: { ...alone.spec, priority: 10 } }), state)).toBe('a');
  });
});

describe('pickCandidate', () => {
  const at = (nodeName: string, priorities: number[], budgetViolations = 0, startTime?: string): Candidate => ({
    nodeName,
    budgetViolations,
    victims: priorities.map((priority) => podInfo({ spec: { priority }, ...(startTime && { status: { startTime } }) })),
  });
  it.each([
    ['fewest budget violations', [at('a', [1], 1), at('b', [9, 9])], 'b'],
    ['lowest top priority', [at('a', [5]), at('b', [4, 4, 4])], 'b'],
    ['lowest sum', [at('a', [5, 5]), at('b', [5, 1])], 'b'],
    ['fewest pods, negative priorities too', [at('a', [-1, -1]), at('b', [-1])], 'b'],
    ['latest start', [at('a', [1], 0, '2026-01-01T00:00:00Z'), at('b', [1], 0, '2026-01-02T00:00:00Z')], 'b'],
    ['else the first', [at('a', [1]), at('b', [1])], 'a'],
  ])('%s', (_, candidates, expected) => expect(pickCandidate(candidates)?.nodeName).toBe(expected));
});

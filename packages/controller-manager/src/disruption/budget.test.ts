import type { Pod, PodDisruptionBudget } from '@skiff/api';
import { describe, expect, it } from 'vitest';
import { computeBudget, failSafeStatus, sameBudgetStatus } from './budget.ts';

const nowMs = Date.UTC(2026, 0, 1, 1);
const budget = (spec: PodDisruptionBudget['spec'], disrupted: Record<string, string> = {}): PodDisruptionBudget => ({
  metadata: { name: 'b', namespace: 'ns', generation: 3 },
  ...(spec === undefined ? {} : { spec }),
  status: { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0, disruptedPods: disrupted },
});
const pods = (ready: number, unready = 0): Pod[] =>
  Array.from({ length: ready + unready }, (_, i) => ({
    metadata: { name: `p${i}` },
    status: { conditions: [{ type: 'Ready', status: i < ready ? 'True' : 'False' }] },
  }));
const compute = (b: PodDisruptionBudget, p: Pod[], scale = p.length) => computeBudget({ budget: b, pods: p, scale, nowMs });

describe('computeBudget', () => {
  it.each([
    [{ minAvailable: 2 }, 3, 0, 3, [1, 3, 2, 3]],
    [{ minAvailable: 3 }, 3, 0, 3, [0, 3, 3, 3]],
    [{ minAvailable: '50%' }, 3, 2, 5, [0, 3, 3, 5]],
    [{ maxUnavailable: 1 }, 4, 1, 5, [0, 4, 4, 5]],
    [{ maxUnavailable: '30%' }, 5, 0, 5, [2, 5, 3, 5]],
    [{ maxUnavailable: 10 }, 2, 0, 2, [2, 2, 0, 2]],
    [{ minAvailable: 0 }, 0, 0, 0, [0, 0, 0, 0]],
  ] as const)('%j with %i ready and %i not, of %i', (spec, ready, unready, scale, expected) => {
    const { status } = compute(budget(spec), pods(ready, unready), scale);
    expect([status.disruptionsAllowed, status.currentHealthy, status.desiredHealthy, status.expectedPods]).toEqual(expected);
    expect(status.observedGeneration).toBe(3);
    expect(status.conditions?.[0]?.reason).toBe((status.disruptionsAllowed ?? 0) > 0 ? 'SufficientPods' : 'InsufficientPods');
  });

  it('counts evicted pods as gone for two minutes', () => {
    const evicted = budget({ minAvailable: 1 }, { p0: '2026-01-01T00:59:00Z', p1: '2026-01-01T00:50:00Z', gone: '2026-01-01T00:59:00Z' });
    const result = compute(evicted, pods(3));
    expect(result.status).toMatchObject({ currentHealthy: 2, disruptedPods: { p0: '2026-01-01T00:59:00Z' } });
    expect(result.notDeleted.map((p) => p.metadata?.name)).toEqual(['p1']);
    expect(result.recheckAfterMs).toBe(61_000);
  });

  it('allows nothing when it fails', () => {
    const status = failSafeStatus(budget({ minAvailable: 1 }), 'no controller', nowMs);
    expect([status.disruptionsAllowed, status.conditions?.[0]?.reason]).toEqual([0, 'SyncFailed']);
  });

  it('sees no difference in what it wrote itself', () => {
    const { status } = compute(budget({ minAvailable: 1 }), pods(2));
    expect(sameBudgetStatus(status, compute({ ...budget({ minAvailable: 1 }), status }, pods(2)).status)).toBe(true);
  });
});

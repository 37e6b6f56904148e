import { describe, expect, it } from 'vitest';
import { type Behavior, newHistory, normalizeByRules, normalizePlainly, noteScaling, type Rules } from './scaling-rules.ts';

const windowMs = 300_000;
const start = 1_000_000_000;
const up = (rules: Partial<Rules> = {}): Rules => ({
  stabilizationWindowSeconds: 0,
  selectPolicy: 'Max',
  policies: [
    { type: 'Pods', value: 4, periodSeconds: 15 },
    { type: 'Percent', value: 100, periodSeconds: 15 },
  ],
  ...rules,
});
const down = (rules: Partial<Rules> = {}): Rules => ({
  selectPolicy: 'Max',
  policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }],
  ...rules,
});

describe('without rules', () => {
  it.each([
    [{ current: 3, min: 1, max: 10 }, 5, 5, 'DesiredWithinRange'],
    [{ current: 1, min: 1, max: 10 }, 9, 4, 'ScaleUpLimit'],
    [{ current: 3, min: 1, max: 10 }, 9, 6, 'ScaleUpLimit'],
    [{ current: 6, min: 1, max: 10 }, 15, 10, 'TooManyReplicas'],
    [{ current: 2, min: 2, max: 10 }, 0, 2, 'DesiredWithinRange'],
  ])('%j, wanted %i: %i, %s', (bounds, wanted, replicas, reason) => {
    const n = normalizePlainly(newHistory(bounds.current, start), wanted, bounds, { windowMs, nowMs: start });
    expect([n.replicas, n.limited.reason]).toEqual([replicas, reason]);
  });

  it('does not go below what was recommended in the window', () => {
    const history = newHistory(5, start);
    const at = (seconds: number, wanted: number) =>
      normalizePlainly(history, wanted, { current: 5, min: 2, max: 10 }, { windowMs, nowMs: start + seconds * 1000 });
    expect(at(60, 1)).toMatchObject({ replicas: 5, stabilized: { reason: 'ScaleDownStabilized' } });
    expect(at(300, 1).replicas).toBe(5);
    expect(at(301, 1)).toMatchObject({
      replicas: 2,
      stabilized: { reason: 'ReadyForNewScale' },
      limited: { reason: 'TooFewReplicas', isLimited: true },
    });
    expect(history.recommendations.length).toBeLessThan(4);
  });
});

describe('with rules', () => {
  const normalize = (history: ReturnType<typeof newHistory>, behavior: Behavior, current: number, wanted: number, atSeconds: number) =>
    normalizeByRules(history, wanted, { current, min: 1, max: 100 }, { behavior, windowMs, nowMs: start + atSeconds * 1000 });

  it('adds no faster than the policies of the period allow, and forgets what is past', () => {
    const behavior = { scaleUp: up(), scaleDown: down() };
    const history = newHistory(10, start);
    expect(normalize(history, behavior, 10, 50, 1)).toMatchObject({ replicas: 20, limited: { reason: 'ScaleUpLimit', isLimited: true } });
    noteScaling(history, behavior, 10, 20, start + 1000);
    expect(normalize(history, behavior, 20, 50, 10).replicas).toBe(20);
    expect(normalize(history, behavior, 20, 50, 16).replicas).toBe(40);
    noteScaling(history, behavior, 20, 40, start + 60_000);
    expect(history.added).toHaveLength(1);
  });

  it.each<[string, Partial<Rules>, Partial<Rules>, number, number]>([
    ['the smallest change up', { selectPolicy: 'Min' }, {}, 50, 14],
    ['none up', { selectPolicy: 'Disabled' }, {}, 50, 10],
    ['none down', {}, { selectPolicy: 'Disabled', stabilizationWindowSeconds: 0 }, 1, 10],
    ['pods down', {}, { stabilizationWindowSeconds: 0, policies: [{ type: 'Pods', value: 3, periodSeconds: 60 }] }, 1, 7],
    [
      'the smallest change down',
      {},
      {
        stabilizationWindowSeconds: 0,
        selectPolicy: 'Min',
        policies: [
          { type: 'Pods', value: 3, periodSeconds: 60 },
          { type: 'Percent', value: 10, periodSeconds: 60 },
        ],
      },
      1,
      9,
    ],
    ['as far as it likes', {}, { stabilizationWindowSeconds: 0 }, 1, 1],
    ['not down within the default window', {}, {}, 1, 10],
  ])('%s', (_, scaleUp, scaleDown, wanted, replicas) => {
    const history = newHistory(10, start);
    expect(normalize(history, { scaleUp: up(scaleUp), scaleDown: down(scaleDown) }, 10, wanted, 5).replicas).toBe(replicas);
  });

  it('waits for the lowest recommendation of the window when it scales up', () => {
    const behavior = { scaleUp: up({ stabilizationWindowSeconds: 60 }), scaleDown: down() };
    const history = newHistory(2, start);
    expect(normalize(history, behavior, 2, 5, 30)).toMatchObject({ replicas: 2, stabilized: { reason: 'ScaleUpStabilized' } });
    expect(normalize(history, behavior, 2, 4, 70).replicas).toBe(4);
  });
});

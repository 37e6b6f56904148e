import type { Pod } from '@skiff/api';
import { describe, expect, it } from 'vitest';
import {
  proposeByAverage,
  proposeByShare,
  proposeByTotal,
  proposeByUtilization,
  type PodUsage,
  type Proposal,
} from './replica-calculator.ts';

const nowMs = Date.parse('2026-01-01T12:00:00Z');
const ago = (seconds: number): string => new Date(nowMs - seconds * 1000).toISOString();

interface Case {
  /** One for each pod; undefined: it says nothing. */
  readonly used: readonly (number | undefined)[];
  readonly current?: number;
  readonly ready?: readonly boolean[];
  readonly phase?: readonly string[];
  readonly startedAgo?: number;
  readonly changedAgo?: number;
  readonly deleted?: readonly number[];
}

function usage(c: Case): PodUsage {
  const pods = c.used.map(
    (_, i): Pod => ({
      metadata: { name: `p${i}`, ...(c.deleted?.includes(i) === true ? { deletionTimestamp: ago(1) } : {}) },
      spec: { containers: [{ name: 'main', resources: { requests: { cpu: '1', memory: '1Ki' } } }] },
      status: {
        phase: c.phase?.[i] ?? 'Running',
        startTime: ago(c.startedAgo ?? 3600),
        conditions: [{ type: 'Ready', status: c.ready?.[i] === false ? 'False' : 'True', lastTransitionTime: ago(c.changedAgo ?? 3590) }],
      },
    }),
  );
  const metrics = new Map(
    c.used.flatMap((value, i) => (value === undefined ? [] : [[`p${i}`, { value, atMs: nowMs - 1000, windowMs: 30_000 }] as const])),
  );
  return {
    pods,
    metrics,
    currentReplicas: c.current ?? c.used.length,
    tolerances: { scaleUp: 0.1, scaleDown: 0.1 },
    timing: { cpuInitializationPeriodMs: 120_000, initialReadinessDelayMs: 10_000 },
    nowMs,
  };
}

describe('by the percentage of requests', () => {
  it.each<[string, Case, number, Partial<Proposal>]>([
    ['scales up', { used: [300, 500, 700] }, 30, { replicas: 5, utilization: 50, usage: 500 }],
    ['scales down', { used: [100, 300, 500, 250, 250], current: 5 }, 50, { replicas: 3, utilization: 28, usage: 280 }],
    ['leaves what is near enough', { used: [1010, 1030, 1020] }, 100, { replicas: 3, utilization: 102 }],
    [
      'counts pods that are not ready as idle when it scales up',
      { used: [300, 500, 700], ready: [false, true, true], startedAgo: 60 },
      30,
      { replicas: 4, utilization: 60 },
    ],
    [
      'does not scale up when these would do',
      { used: [400, 500, 700], ready: [true, false, false], startedAgo: 60 },
      30,
      { replicas: 3, utilization: 40 },
    ],
    ['passes over samples from before a pod was ready', { used: [400, 500, 700], startedAgo: 60, changedAgo: 5 }, 30, { replicas: NaN }],
    [
      'passes over pods that have failed or are being deleted',
      { used: [500, 700, 900], phase: ['Running', 'Running', 'Failed'], deleted: [1] },
      50,
      { replicas: 3, utilization: 50 },
    ],
    ['counts missing pods as idle when it scales up', { used: [400, undefined, 900], current: 3 }, 30, { replicas: 5, utilization: 65 }],
    [
      'counts missing pods as busy when it scales down',
      { used: [400, 400, 400, undefined], current: 4 },
      80,
      { replicas: 3, utilization: 40 },
    ],
    [
      'counts pods that wait as idle',
      { used: [500, undefined], phase: ['Running', 'Pending'], current: 2 },
      20,
      { replicas: 3, utilization: 50 },
    ],
  ])('%s', (_, c, targetPercent, expected) => {
    const propose = (): Proposal => proposeByUtilization(usage(c), 'cpu', { targetPercent, container: '' });
    if (Number.isNaN(expected.replicas)) expect(propose).toThrow('did not receive metrics for targeted pods (pods might be unready)');
    else expect(propose()).toMatchObject(expected);
  });

  it('says who requests nothing, and who is not there', () => {
    const u = usage({ used: [500] });
    const by = (resource: string, container: string) => () => proposeByUtilization(u, resource, { targetPercent: 50, container });
    expect(by('cpu', 'main')()).toEqual({ replicas: 1, utilization: 50, usage: 500 });
    expect(by('example.com/x', '')).toThrow('missing request for example.com/x in container main of Pod p0');
    expect(by('cpu', 'side')).toThrow('container side not found in Pod p0');
    expect(() => proposeByUtilization({ ...u, pods: [] }, 'cpu', { targetPercent: 50, container: '' })).toThrow(
      'no pods returned by selector',
    );
  });
});

describe('by an average', () => {
  it.each<[string, Case, number, Partial<Proposal>]>([
    ['scales up', { used: [20_000, 10_000, 30_000] }, 15_000, { replicas: 4, usage: 20_000 }],
    ['scales down', { used: [12_000, 12_000, 12_000, 12_000, 12_000] }, 20_000, { replicas: 3, usage: 12_000 }],
    ['does not look at readiness', { used: [50_000, 10_000, 30_000], ready: [false, true, true], startedAgo: 60 }, 15_000, { replicas: 6 }],
    [
      'takes missing pods to be at the target when it scales down',
      { used: [10_000, undefined, 10_000], current: 3 },
      20_000,
      { replicas: 2 },
    ],
  ])('%s', (_, c, target, expected) => {
    expect(proposeByAverage(usage(c), '', target)).toMatchObject(expected);
  });
});

describe('by one value', () => {
  it('for all ready pods, or shared by all', () => {
    const u = usage({ used: [1, 1, 1], ready: [true, true, false] });
    expect(proposeByTotal(u, 20_000, 10_000)).toEqual({ replicas: 4, usage: 20_000 });
    expect(proposeByTotal(u, 10_500, 10_000).replicas).toBe(3);
    expect(proposeByTotal({ ...u, currentReplicas: 0 }, 30_000, 10_000).replicas).toBe(3);
    expect(proposeByTotal(u, 1e30, 1).replicas).toBe(2_147_483_647);
    expect(proposeByShare(3, u.tolerances, 8600, 2149)).toEqual({ replicas: 5, usage: 2867 });
    expect(proposeByShare(3, u.tolerances, 8600, 2867)).toEqual({ replicas: 3, usage: 2867 });
  });
});

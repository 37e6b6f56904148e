import type { Node } from '@skiff/api';
import { describe, expect, it } from 'vitest';
import { HeartbeatTracker, silentConditions } from './node-health.ts';
import { StayClock } from './stay-clock.ts';
import { computeTaints, stayAllowances } from './taints.ts';

const node = (conditions: Record<string, string>, o: Node['spec'] = {}): Node => ({
  metadata: { name: 'n1' },
  spec: o,
  status: { conditions: Object.entries(conditions).map(([type, status]) => ({ type, status, lastHeartbeatTime: '2026-01-01T00:00:00Z' })) },
});
const now = '2026-01-01T00:00:00Z';
const keys = (n: Node, noExecute: boolean | 'none'): string[] | undefined =>
  computeTaints(n, { noExecute, now })?.map((t) => `${t.key.split('/')[1] ?? t.key}:${t.effect}`);

describe('computeTaints', () => {
  it.each([
    [{ Ready: 'True' }, {}, true, undefined],
    [{ Ready: 'False' }, {}, false, ['not-ready:NoSchedule']],
    [{ Ready: 'Unknown' }, {}, true, ['unreachable:NoSchedule', 'unreachable:NoExecute']],
    [{ Ready: 'True', DiskPressure: 'True' }, { unschedulable: true }, true, ['disk-pressure:NoSchedule', 'unschedulable:NoSchedule']],
    [
      { Ready: 'Unknown' },
      { taints: [{ key: 'node.kubernetes.io/not-ready', effect: 'NoExecute' }] },
      true,
      ['unreachable:NoSchedule', 'unreachable:NoExecute'],
    ],
    [
      { Ready: 'True' },
      {
        taints: [
          { key: 'mine', effect: 'NoExecute' },
          { key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' },
        ],
      },
      true,
      ['mine:NoExecute'],
    ],
    [
      { Ready: 'Unknown' },
      {
        taints: [
          { key: 'node.kubernetes.io/unreachable', effect: 'NoSchedule' },
          { key: 'node.kubernetes.io/unreachable', effect: 'NoExecute' },
        ],
      },
      false,
      undefined,
    ],
    [
      { Ready: 'Unknown' },
      {
        taints: [
          { key: 'node.kubernetes.io/unreachable', effect: 'NoSchedule' },
          { key: 'node.kubernetes.io/unreachable', effect: 'NoExecute' },
        ],
      },
      'none',
      ['unreachable:NoSchedule'],
    ],
  ] as const)('%j %j, NoExecute %s', (conditions, spec, noExecute, expected) => {
    expect(keys(node(conditions, structuredClone(spec) as Node['spec']), noExecute)).toEqual(expected);
  });
});

describe('stayAllowances', () => {
  const taint = { key: 'node.kubernetes.io/unreachable', effect: 'NoExecute', timeAdded: now };
  const lost = 'node.kubernetes.io/unreachable';
  it.each([
    [[], [taint], [{ cause: lost, ms: 0 }]],
    [[{ key: taint.key, operator: 'Exists', tolerationSeconds: 300 }], [taint], [{ cause: lost, ms: 300_000 }]],
    [[{ key: taint.key, operator: 'Exists', tolerationSeconds: -1 }], [taint], [{ cause: lost, ms: 0 }]],
    [[{ operator: 'Exists' }], [taint], []],
    [
      [
        { key: taint.key, operator: 'Exists', tolerationSeconds: 300 },
        { key: 'b', operator: 'Equal', value: 'x', tolerationSeconds: 5 },
      ],
      [taint, { key: 'b', value: 'x', effect: 'NoExecute', timeAdded: now }],
      [
        { cause: lost, ms: 300_000 },
        { cause: 'b', ms: 5000 },
      ],
    ],
    [[{ key: taint.key, operator: 'Exists' }], [taint, { key: 'b', value: 'y', effect: 'NoExecute' }], [{ cause: 'b', ms: 0 }]],
    [[], [{ ...taint, effect: 'NoSchedule' }], []],
    // Both taints are one loss of the node.
    [[], [{ key: 'node.kubernetes.io/not-ready', effect: 'NoExecute' }], [{ cause: lost, ms: 0 }]],
  ])('case %#', (tolerations, taints, expected) => {
    expect(stayAllowances(tolerations, taints)).toEqual(expected);
  });
});

describe('StayClock', () => {
  const id = 'ns/p';
  const lost = [{ cause: 'lost', ms: 300_000 }];
  it('counts from the first sight, over a change of the taint, and anew after a reprieve or for another pod of the name', () => {
    const clock = new StayClock();
    expect(clock.update(id, { uid: '1', allowances: lost, nowMs: 1000 })).toEqual({ leaveAtMs: 301_000, reprieved: false });
    expect(clock.update(id, { uid: '1', allowances: lost, nowMs: 9000 }).leaveAtMs).toBe(301_000);
    expect(clock.update(id, { uid: '1', allowances: [...lost, { cause: 'b', ms: 5000 }], nowMs: 10_000 }).leaveAtMs).toBe(15_000);
    expect(clock.update(id, { uid: '1', allowances: [], nowMs: 11_000 })).toEqual({ leaveAtMs: undefined, reprieved: true });
    expect(clock.update(id, { uid: '1', allowances: [], nowMs: 11_000 }).reprieved).toBe(false);
    expect(clock.update(id, { uid: '1', allowances: lost, nowMs: 20_000 }).leaveAtMs).toBe(320_000);
    expect(clock.update(id, { uid: '2', allowances: lost, nowMs: 30_000 }).leaveAtMs).toBe(330_000);
  });
});

describe('HeartbeatTracker', () => {
  const lease = (renewTime: string, resourceVersion = renewTime) => ({ metadata: { resourceVersion }, spec: { renewTime } });
  it('counts silence only in time that was given to it', () => {
    const tracker = new HeartbeatTracker();
    const n = node({ Ready: 'True' });
    tracker.observe(n, lease('1'));
    tracker.advance(30_000);
    tracker.observe(n, lease('1'));
    expect(tracker.silentMs('n1')).toBe(30_000);
    tracker.observe(n, lease('2'));
    expect(tracker.silentMs('n1')).toBe(0);
    tracker.advance(10_000);
    // A missing Lease is no sign of anything.
    tracker.observe(n, undefined);
    expect(tracker.silentMs('n1')).toBe(10_000);
    tracker.forgive();
    expect(tracker.silentMs('n1')).toBe(0);
  });
  it('goes by versions: clocks of nodes jump, and caches lag', () => {
    const tracker = new HeartbeatTracker();
    const n = node({ Ready: 'True' });
    tracker.observe(n, lease('10:00', '5'));
    tracker.advance(10_000);
    // The node's clock went back: still a renewal.
    tracker.observe(n, lease('09:00', '6'));
    expect(tracker.silentMs('n1')).toBe(0);
    tracker.advance(10_000);
    // What the cache still has, after a direct read, is old.
    tracker.observe(n, lease('10:00', '5'));
    // Somebody else wrote a label.
    tracker.observe(n, lease('09:00', '7'));
    expect(tracker.silentMs('n1')).toBe(10_000);
  });
});

describe('silentConditions', () => {
  it('turns what the kubelet said into Unknown, once', () => {
    const conditions = silentConditions(
      node({ Ready: 'True', MemoryPressure: 'False', DiskPressure: 'False', PIDPressure: 'False', Custom: 'True' }),
      Date.parse(now),
    );
    expect(conditions?.map((c) => [c.type, c.status, c.reason])).toEqual([
      ['Ready', 'Unknown', 'NodeStatusUnknown'],
      ['MemoryPressure', 'Unknown', 'NodeStatusUnknown'],
      ['DiskPressure', 'Unknown', 'NodeStatusUnknown'],
      ['PIDPressure', 'Unknown', 'NodeStatusUnknown'],
      ['Custom', 'True', undefined],
    ]);
    expect(silentConditions({ ...node({}), status: { conditions: conditions ?? [] } }, 0)).toBeUndefined();
  });
});

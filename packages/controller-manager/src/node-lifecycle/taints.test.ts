import type { Node } from '@skiff/api';
import { describe, expect, it } from 'vitest';
import { HeartbeatTracker, silentConditions, zoneState } from './node-health.ts';
import { computeTaints, evictionTimeMs } from './taints.ts';

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

describe('evictionTimeMs', () => {
  const taint = { key: 'node.kubernetes.io/unreachable', effect: 'NoExecute', timeAdded: now };
  const start = Date.parse(now);
  it.each([
    [[], [taint], start + 9],
    [[{ key: taint.key, operator: 'Exists', tolerationSeconds: 300 }], [taint], start + 300_000],
    [[{ operator: 'Exists' }], [taint], undefined],
    [
      [
        { key: taint.key, operator: 'Exists', tolerationSeconds: 300 },
        { key: 'b', operator: 'Equal', value: 'x', tolerationSeconds: 5 },
      ],
      [taint, { key: 'b', value: 'x', effect: 'NoExecute', timeAdded: now }],
      start + 5000,
    ],
    [[{ key: taint.key, operator: 'Exists' }], [taint, { key: 'b', value: 'y', effect: 'NoExecute' }], start + 9],
    [[], [{ ...taint, effect: 'NoSchedule' }], undefined],
  ])('case %#', (tolerations, taints, expected) => {
    expect(evictionTimeMs(tolerations, taints, start + 9)).toBe(expected);
  });
});

describe('HeartbeatTracker', () => {
  const lease = (renewTime: string) => ({ spec: { renewTime } });
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

describe('zoneState', () => {
  it.each([
    [0, 1, 'full'],
    [1, 2, 'normal'],
    [2, 3, 'partial'],
    [10, 1, 'normal'],
  ])('%i ready, %i not: %s', (ready, notReady, expected) => {
    expect(zoneState(ready, notReady)).toBe(expected);
  });
});

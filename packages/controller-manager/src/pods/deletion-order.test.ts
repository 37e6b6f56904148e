import type { Pod } from '@skiff/api';
import { describe, expect, it } from 'vitest';
import { choosePodsToDelete } from './deletion-order.ts';

const nowMs = Date.UTC(2026, 0, 2);
const pod = (
  name: string,
  o: { node?: string; phase?: string; ready?: string; cost?: string; restarts?: number; created?: string } = {},
): Pod => ({
  metadata: {
    name,
    uid: name,
    creationTimestamp: o.created ?? '2026-01-01T00:00:00Z',
    ...(o.cost === undefined ? {} : { annotations: { 'controller.kubernetes.io/pod-deletion-cost': o.cost } }),
  },
  spec: { containers: [], nodeName: o.node ?? 'n1' },
  status: {
    phase: o.phase ?? 'Running',
    conditions: o.ready === undefined ? [] : [{ type: 'Ready', status: 'True', lastTransitionTime: o.ready }],
    containerStatuses: [{ name: 'c', restartCount: o.restarts ?? 0 }] as NonNullable<Pod['status']>['containerStatuses'] & object,
  },
});
const ready = '2026-01-01T12:00:00Z';
const first = (a: Pod, b: Pod, related: Pod[] = []): string =>
  choosePodsToDelete([b, a], related, { count: 1, nowMs })[0]?.metadata?.name ?? '';

describe('choosePodsToDelete', () => {
  it.each([
    ['unscheduled before scheduled', pod('x', { node: '' }), pod('y', { phase: 'Pending' })],
    ['pending before running', pod('x', { phase: 'Pending' }), pod('y')],
    ['not ready before ready', pod('x', { cost: '100' }), pod('y', { ready })],
    ['cheaper before dearer', pod('x', { ready, cost: '-1' }), pod('y', { ready })],
    ['an invalid cost is none', pod('x', { ready, cost: '-5' }), pod('y', { ready, cost: '+5' })],
    ['shortly ready before long ready', pod('x', { ready: '2026-01-01T23:59:00Z' }), pod('y', { ready })],
    ['more restarts first', pod('x', { ready, restarts: 3 }), pod('y', { ready })],
    ['younger before older', pod('x', { ready, created: '2026-01-01T23:59:30Z' }), pod('y', { ready })],
  ])('%s', (_name, x, y) => {
    expect(first(x, y)).toBe('x');
  });
  it('prefers crowded nodes', () => {
    const [x, y] = [pod('x', { node: 'n1', ready: '2026-01-01T01:00:00Z' }), pod('y', { node: 'n2', ready })];
    expect(first(x, y, [x, y, pod('z', { node: 'n1', ready })])).toBe('x');
  });
  it('takes all when asked for all', () => {
    expect(choosePodsToDelete([pod('a'), pod('b')], [], { count: 5, nowMs })).toHaveLength(2);
  });
});

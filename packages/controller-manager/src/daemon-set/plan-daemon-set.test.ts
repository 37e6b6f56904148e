import type { DaemonSet, Node, Pod } from '@skiff/api';
import { describe, expect, it } from 'vitest';
import { daemonPod, nodeShouldRun, targetNode } from './daemon-pod.ts';
import { computeDaemonSetStatus, planPlacement, planRollingUpdate, type DaemonSetInput } from './plan-daemon-set.ts';

const set = (o: { surge?: number; unavailable?: number | string; nodeSelector?: Record<string, string> } = {}): DaemonSet => ({
  metadata: { name: 'agent', namespace: 'ns', uid: 'd', generation: 1 },
  spec: {
    selector: { matchLabels: { app: 'agent' } },
    template: {
      metadata: { labels: { app: 'agent' } },
      spec: { containers: [], ...(o.nodeSelector === undefined ? {} : { nodeSelector: o.nodeSelector }) },
    },
    updateStrategy: {
      type: 'RollingUpdate',
      rollingUpdate: { maxUnavailable: o.unavailable ?? (o.surge === undefined ? 1 : 0), maxSurge: o.surge ?? 0 },
    },
  },
});
const node = (name: string, o: Partial<NonNullable<Node['spec']>> = {}, labels: Record<string, string> = {}): Node => ({
  metadata: { name, labels },
  spec: o,
});
const pod = (name: string, on: string, o: { hash?: string; ready?: boolean; phase?: string; going?: boolean } = {}): Pod => ({
  metadata: {
    name,
    creationTimestamp: '2026-01-01T00:00:00Z',
    labels: { 'controller-revision-hash': o.hash ?? 'new' },
    ...(o.going === true ? { deletionTimestamp: 'x' } : {}),
  },
  spec: { containers: [], nodeName: on },
  status: {
    phase: o.phase ?? 'Running',
    conditions: [{ type: 'Ready', status: o.ready === false ? 'False' : 'True', lastTransitionTime: '2026-01-01T00:00:00Z' }],
  },
});
const input = (s: DaemonSet, nodes: Node[], pods: Pod[]): DaemonSetInput => ({
  set: s,
  nodes,
  pods,
  hash: 'new',
  nowMs: Date.UTC(2026, 0, 2),
});
const place = (s: DaemonSet, nodes: Node[], pods: Pod[]) => {
  const plan = planPlacement(input(s, nodes, pods));
  return [plan.create, plan.remove.map((p) => p.metadata?.name)];
};
const roll = (s: DaemonSet, nodes: Node[], pods: Pod[]) => {
  const plan = planRollingUpdate(input(s, nodes, pods));
  return [plan.create, plan.remove.map((p) => p.metadata?.name)];
};

describe('nodeShouldRun', () => {
  it.each([
    ['a plain node', node('a'), { run: true, stay: true }],
    [
      'a cordoned node',
      node('a', { unschedulable: true, taints: [{ key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }] }),
      { run: true, stay: true },
    ],
    [
      'an unreachable node',
      node('a', { taints: [{ key: 'node.kubernetes.io/unreachable', effect: 'NoExecute' }] }),
      { run: true, stay: true },
    ],
    ['a foreign NoSchedule taint', node('a', { taints: [{ key: 'gpu', effect: 'NoSchedule' }] }), { run: false, stay: true }],
    ['a foreign NoExecute taint', node('a', { taints: [{ key: 'gpu', effect: 'NoExecute' }] }), { run: false, stay: false }],
  ])('%s', (_name, n, expected) => {
    expect(nodeShouldRun(set(), n)).toEqual(expected);
  });
  it('keeps to the node selector', () => {
    expect(nodeShouldRun(set({ nodeSelector: { disk: 'ssd' } }), node('a')).stay).toBe(false);
    expect(nodeShouldRun(set({ nodeSelector: { disk: 'ssd' } }), node('a', {}, { disk: 'ssd' })).run).toBe(true);
  });
});

describe('daemonPod', () => {
  it('is bound to its node by affinity', () => {
    expect(targetNode(daemonPod(set(), 'a', 'h'))).toBe('a');
  });
});

describe('planPlacement', () => {
  it.each([
    ['fills nodes', [node('a'), node('b')], [pod('p', 'a')], [['b'], []]],
    ['replaces what ended', [node('a')], [pod('p', 'a', { phase: 'Failed' })], [[], ['p']]],
    ['waits for what is going', [node('a')], [pod('p', 'a', { going: true })], [[], []]],
    ['leaves one of two', [node('a')], [pod('p', 'a'), pod('q', 'a')], [[], ['q']]],
    ['clears nodes it may not be on', [node('a', { taints: [{ key: 'x', effect: 'NoExecute' }] })], [pod('p', 'a')], [[], ['p']]],
  ])('%s', (_name, nodes, pods, expected) => {
    expect(place(set(), nodes, pods)).toEqual(expected);
  });
  it('has an old and a new pod while it surges, until the new one works', () => {
    const nodes = [node('a')];
    expect(place(set({ surge: 1 }), nodes, [pod('old', 'a', { hash: 'x' }), pod('new', 'a', { ready: false })])).toEqual([[], []]);
    expect(place(set({ surge: 1 }), nodes, [pod('old', 'a', { hash: 'x' }), pod('new', 'a')])).toEqual([[], ['old']]);
  });
});

describe('planRollingUpdate', () => {
  const nodes = [node('a'), node('b'), node('c')];
  const old = (n: string, ready = true): Pod => pod(`old-${n}`, n, { hash: 'x', ready });
  it('replaces as many as may be unavailable', () => {
    expect(roll(set({ unavailable: 2 }), nodes, [old('a'), old('b'), old('c')])).toEqual([[], ['old-a', 'old-b']]);
  });
  it('counts what is down already, and replaces broken ones at once', () => {
    expect(roll(set(), nodes, [old('a'), old('b', false), pod('new-c', 'c')])).toEqual([[], ['old-b']]);
    expect(roll(set(), nodes, [old('a'), old('b'), pod('new-c', 'c', { ready: false })])).toEqual([[], []]);
  });
  it('adds new pods beside old ones when it surges', () => {
    expect(roll(set({ surge: 1 }), nodes, [old('a'), old('b'), old('c')])).toEqual([['a'], []]);
    expect(roll(set({ surge: 1 }), nodes, [old('a'), pod('new-a', 'a', { ready: false }), old('b'), old('c')])).toEqual([[], []]);
  });
});

describe('computeDaemonSetStatus', () => {
  it('counts nodes', () => {
    const nodes = [node('a'), node('b'), node('c', { taints: [{ key: 'x', effect: 'NoSchedule' }] })];
    expect(computeDaemonSetStatus(input(set(), nodes, [pod('p', 'a', { ready: false }), pod('q', 'c')]), undefined)).toMatchObject({
      desiredNumberScheduled: 2,
      currentNumberScheduled: 1,
      numberMisscheduled: 1,
      numberReady: 0,
      updatedNumberScheduled: 1,
      numberAvailable: 0,
      numberUnavailable: 2,
    });
  });
});

import { describe, expect, it } from 'vitest';
import { createDefaultProfile } from '../default-profile.ts';
import { feasibleNodesToFind, runCycle, type CycleResult } from './cycle.ts';
import { formatDiagnosis } from './diagnosis.ts';
import type { PodInfo } from './pod-info.ts';
import type { ClusterSnapshot } from './snapshot.ts';
import { cluster, node, podInfo } from './test-objects.ts';
import { FakeClock } from '@skiff/component-base';

const unused = (): never => {
  throw new Error('not used in a cycle');
};
const profile = createDefaultProfile({
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
  budgets: () => [],
  clearNomination: unused,
  preempted: unused,
});
const place = (pod: PodInfo, snapshot: ClusterSnapshot, random = 0.99): CycleResult =>
  runCycle(pod, snapshot, profile, { startIndex: 0, random: () => random });
const nodeOf = (result: CycleResult): string => (result.outcome === 'placed' ? result.nodeName : formatDiagnosis(result.diagnosis));

describe('runCycle', () => {
  it('takes the node with the most room', () => {
    const state = cluster([node('a'), node('b'), node('c')], {
      a: [podInfo({ requests: { cpu: '2' } })],
      c: [podInfo({ requests: { cpu: '1' } })],
    });
    expect(nodeOf(place(podInfo({ requests: { cpu: '500m', memory: '1Gi' } }), state))).toBe('b');
  });

  it('prefers what the pod prefers', () => {
    const state = cluster([node('a'), node('b', { labels: { disk: 'ssd' } }), node('c')]);
    const preference = { matchExpressions: [{ key: 'disk', operator: 'In', values: ['ssd'] }] };
    const pod = podInfo({
      spec: { affinity: { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, preference }] } } },
    });
    expect(nodeOf(place(pod, state))).toBe('b');
  });

  it('avoids unwelcoming nodes where it can', () => {
    const state = cluster([node('a', { taints: [{ key: 'k', effect: 'PreferNoSchedule' }] }), node('b')]);
    expect(nodeOf(place(podInfo(), state))).toBe('b');
  });

  it('goes where the image is', () => {
    const state = cluster([node('a'), node('b', { images: { 'image:latest': 2_000_000_000 } })]);
    expect(nodeOf(place(podInfo(), state))).toBe('b');
  });

  it('goes where affinity draws it', () => {
    const state = cluster([node('a'), node('b')], { b: [podInfo({ labels: { app: 'web' } })] });
    const podAffinityTerm = { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { app: 'web' } } };
    const weighted = [{ weight: 100, podAffinityTerm }];
    expect(
      nodeOf(place(podInfo({ spec: { affinity: { podAffinity: { preferredDuringSchedulingIgnoredDuringExecution: weighted } } } }), state)),
    ).toBe('b');
    expect(
      nodeOf(
        place(podInfo({ spec: { affinity: { podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution: weighted } } } }), state),
      ),
    ).toBe('a');
  });

  it('breaks ties at random', () => {
    const state = cluster([node('a'), node('b')]);
    expect(nodeOf(place(podInfo(), state, 0))).toBe('b');
    expect(nodeOf(place(podInfo(), state, 0.99))).toBe('a');
  });

  it('says why not, counted over nodes', () => {
    const state = cluster([
      node('a', { taints: [{ key: 'k', effect: 'NoSchedule' }] }),
      node('b'),
      node('c'),
      node('d', { unschedulable: true }),
    ]);
    const result = place(podInfo({ requests: { cpu: '8', memory: '64Gi' } }), state);
    expect(nodeOf(result)).toBe(
      '0/4 nodes are available: 1 node(s) had untolerated taint(s), 1 node(s) were unschedulable, 2 Insufficient cpu, 2 Insufficient memory.',
    );
    expect(result.outcome === 'rejected' && [...result.diagnosis.rejectedBy].sort()).toEqual([
      'NodeResourcesFit',
      'NodeUnschedulable',
      'TaintToleration',
    ]);
  });

  it('says it once when no node comes into question', () => {
    const named = (name: string) => ({ key: 'metadata.name', operator: 'In', values: [name] });
    const withFields = (...matchFields: object[]) =>
      podInfo({
        spec: {
          affinity: {
            nodeAffinity: {
              requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchFields: matchFields as never }] },
            },
          },
        },
      });
    const state = cluster([node('a', { taints: [{ key: 'k', effect: 'NoSchedule' }] }), node('b'), node('c')]);
    expect(nodeOf(place(withFields(named('a'), named('b')), state))).toBe('0/3 nodes are available: pod affinity terms conflict.');
    expect(nodeOf(place(withFields(named('a')), state))).toBe(
      "0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 node(s) didn't satisfy plugin(s) [NodeAffinity].",
    );
  });

  it('tries the promised node first and keeps promises to others', () => {
    const state = cluster([node('a'), node('b')], { b: [podInfo({ requests: { cpu: '3' } })] });
    expect(nodeOf(place(podInfo({ status: { nominatedNodeName: 'b' } }), state))).toBe('b');
    state.nominate(podInfo({ requests: { cpu: '4' }, spec: { priority: 10 } }), 'a');
    expect(nodeOf(place(podInfo({ requests: { cpu: '1' } }), state))).toBe('b');
    expect(nodeOf(place(podInfo({ requests: { cpu: '1' }, spec: { priority: 20 } }), state))).toBe('a');
  });

  it.each([
    [50, 50],
    [100, 100],
    [500, 230],
    [5000, 500],
    [10_000, 500],
  ])('of %i nodes finds %i that fit', (nodes, wanted) => expect(feasibleNodesToFind(nodes)).toBe(wanted));
});

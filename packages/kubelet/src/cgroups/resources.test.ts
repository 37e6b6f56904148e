import { describe, expect, it } from 'vitest';
import type { Container, PodSpec } from '@skiff/api';
import { snapshotPod, type PodSnapshot } from '../pod/pod-snapshot.ts';
import { computeContainerResources, computeOomScoreAdj, computePodLimits } from './resources.ts';

const c = (
  name: string,
  requests: Record<string, string> = {},
  limits: Record<string, string> = {},
  over: Partial<Container> = {},
): Container => ({
  name,
  resources: { requests, limits },
  ...over,
});
const pod = (spec: Partial<PodSpec>): PodSnapshot =>
  snapshotPod({ metadata: { name: 'p', namespace: 'n', uid: 'u' }, spec: { containers: [], ...spec } }) as PodSnapshot;
const gib = 1024 ** 3;

describe('container resources', () => {
  it.each([
    ['nothing asked', c('a'), { cpuShares: 2, oomScoreAdj: 1000 }],
    ['a request', c('a', { cpu: '500m', memory: '256Mi' }), { cpuShares: 512, oomScoreAdj: 750 }],
    [
      'limits',
      c('a', { cpu: '1', memory: '64Mi' }, { cpu: '1', memory: '64Mi' }),
      {
        cpuShares: 1024,
        cpuPeriodMicros: 100_000,
        cpuQuotaMicros: 100_000,
        memoryLimitBytes: 64 * 1024 ** 2,
        memorySwapLimitBytes: 64 * 1024 ** 2,
        oomScoreAdj: -997,
      },
    ],
    ['a tiny limit', c('a', {}, { cpu: '1m' }), { cpuShares: 2, cpuPeriodMicros: 100_000, cpuQuotaMicros: 1000, oomScoreAdj: 999 }],
  ])('%s', (_name, container, expected) => {
    expect(computeContainerResources(pod({ containers: [container] }), container, { memoryCapacityBytes: gib })).toEqual(expected);
  });

  it('protects critical pods', () => {
    expect(
      computeOomScoreAdj(pod({ priority: 2_000_001_000, priorityClassName: 'system-node-critical', containers: [c('a')] }), c('a'), gib),
    ).toBe(-997);
  });
});

describe('OOM scores', () => {
  const request = (memory: string) => ({ memory });
  it.each<[string, Partial<PodSpec>, Container, number]>([
    ['critical for the cluster is not critical for the node', { priority: 2_000_000_000, containers: [c('a')] }, c('a'), 1000],
    [
      'a sidecar is not to go before those that need it',
      { initContainers: [c('s', request('1Mi'), {}, { restartPolicy: 'Always' })], containers: [c('a', request('512Mi'))] },
      c('s', request('1Mi'), {}, { restartPolicy: 'Always' }),
      500,
    ],
    [
      'what the pod asks for beyond its containers is shared',
      { resources: { requests: request('768Mi') }, containers: [c('a', request('256Mi')), c('b')] },
      c('b'),
      750,
    ],
  ])('%s', (_name, spec, container, expected) => {
    expect(computeOomScoreAdj(pod(spec), container, gib)).toBe(expected);
  });
});

describe('what the engine has no setting for', () => {
  const cgroups = { version: 2, pageSizes: [2 * 1024 ** 2, gib], swapBytes: gib, singleProcessOomKill: false } as const;
  const facts = { memoryCapacityBytes: 4 * gib, cgroups };
  it.each<[string, Container, Record<string, string>]>([
    ['burstable swaps in proportion', c('a', { memory: '1Gi' }, { memory: '2Gi' }), { 'memory.swap.max': String(gib / 4) }],
    ['a request that is the limit does not swap', c('a', { memory: '1Gi', cpu: '1' }, { memory: '1Gi' }), { 'memory.swap.max': '0' }],
    ['nothing asked does not swap', c('a'), { 'memory.swap.max': '0' }],
  ])('%s', (_name, container, expected) => {
    expect(computeContainerResources(pod({ containers: [container] }), container, facts).unified).toEqual({
      'memory.oom.group': '1',
      ...expected,
    });
  });

  it('huge pages are none, unless asked for', () => {
    const container = c('a', { cpu: '1', 'hugepages-2Mi': '4Mi' }, { cpu: '1', 'hugepages-2Mi': '4Mi' });
    const p = pod({ containers: [container, c('b')] });
    expect(computeContainerResources(p, container, facts).hugePageLimits).toEqual({ '2MB': 4 * 1024 ** 2, '1GB': 0 });
    expect(computePodLimits(p).hugePages).toEqual(new Map([[2 * 1024 ** 2, 4 * 1024 ** 2]]));
  });

  it("a container without limits has the pod's (KEP-2837)", () => {
    const p = pod({ resources: { limits: { cpu: '2', memory: '1Gi' } }, containers: [c('a')] });
    expect(computeContainerResources(p, c('a'), facts)).toMatchObject({ cpuQuotaMicros: 200_000, memoryLimitBytes: gib });
  });
});

describe('pod limits', () => {
  it.each<[string, Partial<PodSpec>, object]>([
    ['BestEffort', { containers: [c('a')] }, { cpuShares: 2 }],
    [
      'a container without a limit leaves the pod without one',
      { containers: [c('a', { cpu: '100m' }, { memory: '10Mi' }), c('b', { cpu: '100m' })] },
      { cpuShares: 204 },
    ],
    [
      'sums',
      { containers: [c('a', {}, { cpu: '100m', memory: '10Mi' }), c('b', {}, { cpu: '200m', memory: '20Mi' })] },
      { cpuShares: 307, cpuQuotaMicros: 30_000, memoryBytes: 30 * 1024 ** 2 },
    ],
    [
      'a larger init container',
      { initContainers: [c('i', {}, { cpu: '1', memory: '1Gi' })], containers: [c('a', {}, { cpu: '100m', memory: '10Mi' })] },
      { cpuShares: 1024, cpuQuotaMicros: 100_000, memoryBytes: gib },
    ],
    [
      'sidecars count with both',
      {
        initContainers: [
          c('s', {}, { cpu: '100m', memory: '10Mi' }, { restartPolicy: 'Always' }),
          c('i', {}, { cpu: '100m', memory: '10Mi' }),
        ],
        containers: [c('a', {}, { cpu: '300m', memory: '10Mi' })],
      },
      { cpuShares: 409, cpuQuotaMicros: 40_000, memoryBytes: 20 * 1024 ** 2 },
    ],
    [
      'pod-level resources',
      { resources: { limits: { cpu: '2', memory: '1Gi' }, requests: { cpu: '1' } }, containers: [c('a')] },
      { cpuShares: 1024, cpuQuotaMicros: 200_000, memoryBytes: gib },
    ],
  ])('%s', (_name, spec, expected) => {
    expect(computePodLimits(pod(spec))).toEqual({ hugePages: new Map(), ...expected });
  });
});

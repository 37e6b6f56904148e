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
    expect(computeContainerResources(pod({ containers: [container] }), container, gib)).toEqual(expected);
  });

  it('protects critical pods', () => {
    expect(computeOomScoreAdj(pod({ priority: 2_000_001_000, containers: [c('a')] }), c('a'), gib)).toBe(-997);
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
    expect(computePodLimits(pod(spec))).toEqual(expected);
  });
});

import { describe, expect, it } from 'vitest';
import { type Clock, silentLogger, systemClock } from '@skiff/component-base';
import { snapshotPod, type PodSnapshot } from '../pod/pod-snapshot.ts';
import type { CgroupDriver } from './cgroup-driver.ts';
import type { CgroupLimits } from './limits.ts';
import { allPodsLimits, createNodeCgroups, type Enforcement, type NodeCgroupConfig, reservedLimits } from './node-cgroups.ts';

const gib = 1024 ** 3;
const config = (over: Partial<NodeCgroupConfig> = {}): NodeCgroupConfig => ({
  root: ['skiff', 'kubepods'],
  enforce: new Set<Enforcement>(['pods']),
  systemReserved: { cpu: '500m', memory: '1Gi', pid: '1000' },
  kubeReserved: { memory: '1Gi' },
  systemReservedCgroup: '/system.slice',
  kubeReservedCgroup: '',
  ...over,
});
const capacity = { cpuCount: 4, memoryBytes: 8 * gib, pids: 32_768 };
const pod = (uid: string, cpu: string | undefined): PodSnapshot =>
  snapshotPod({
    metadata: { name: uid, namespace: 'n', uid },
    spec: { containers: [{ name: 'c', resources: cpu === undefined ? {} : { requests: { cpu } } }] },
  }) as PodSnapshot;

function setUp(o: { config?: NodeCgroupConfig; pods?: PodSnapshot[]; missing?: boolean; clock?: Clock } = {}) {
  const set: [string, CgroupLimits][] = [];
  const events: string[] = [];
  const driver: CgroupDriver = {
    set: async (cgroup, limits) => void set.push([cgroup.join('/'), limits]),
    remove: async () => undefined,
    children: async () => [],
    pathOf: (name) => name.split('/').filter((p) => p !== ''),
    parentName: (cgroup) => cgroup.join('/'),
    exists: async (cgroup) => o.missing !== true || cgroup.join('/') === 'kube.slice',
    isBusy: async () => false,
  };
  const cgroups = createNodeCgroups(o.config ?? config(), {
    driver,
    capacity,
    pods: () => o.pods ?? [],
    event: (type, reason, message) => events.push(`${type} ${reason} ${message}`),
    clock: o.clock ?? systemClock,
    log: silentLogger,
  });
  return { set, events, cgroups };
}

describe('Node Allocatable', () => {
  it('is what is not reserved, where it is enforced', () => {
    expect(allPodsLimits(capacity, config())).toEqual({ cpuShares: 3584, memoryBytes: 6 * gib, pids: 31_768 });
    expect(allPodsLimits(capacity, config({ enforce: new Set() }))).toEqual({ cpuShares: 4096, memoryBytes: 8 * gib, pids: 32_768 });
  });
  it('reservations can be limits of their own', () => {
    expect(reservedLimits(config().systemReserved, false)).toEqual({ cpuShares: 512, memoryBytes: gib, pids: 1000 });
    expect(reservedLimits(config().systemReserved, true)).toEqual({ cpuShares: 512 });
  });

  it.each([
    [false, 'Normal NodeAllocatableEnforced Updated limits on system reserved cgroup /system.slice'],
    [
      true,
      'Warning FailedNodeAllocatableEnforcement Failed to enforce System Reserved Cgroup Limits on "/system.slice": the cgroup does not exist',
    ],
  ])('tells what came of it (missing: %s)', async (missing, expected) => {
    const { set, events, cgroups } = setUp({ config: config({ enforce: new Set(['pods', 'system-reserved']) }), missing });
    const stop = new AbortController();
    const running = cgroups.run(stop.signal);
    await expect.poll(() => events).toContain(expected);
    expect(events).toContain('Normal NodeAllocatableEnforced Updated Node Allocatable limit across pods');
    expect(set).toContainEqual(['skiff/kubepods', { cpuShares: 3584, memoryBytes: 6 * gib, pids: 31_768 }]);
    expect(set.some(([name]) => name === 'system.slice')).toBe(!missing);
    stop.abort();
    await running;
  });
});

it('a reservation whose cgroup is not there keeps no other from being enforced', async () => {
  const enforce = new Set<Enforcement>(['system-reserved', 'kube-reserved']);
  const { set, cgroups } = setUp({ config: config({ enforce, kubeReservedCgroup: '/kube.slice' }), missing: true });
  const stop = new AbortController();
  const running = cgroups.run(stop.signal);
  await expect.poll(() => set).toContainEqual(['kube.slice', { memoryBytes: gib }]);
  stop.abort();
  await running;
});

describe('classes', () => {
  it('the CPU of burstable pods follows their requests, with one that is about to start', async () => {
    const { set, cgroups } = setUp({ pods: [pod('a', '500m'), pod('b', undefined)] });
    await cgroups.follow();
    await cgroups.follow(pod('c', '250m'));
    await cgroups.follow(pod('c', '250m'));
    expect(set).toEqual([
      ['skiff/kubepods', {}],
      ['skiff/kubepods/besteffort', { cpuShares: 2 }],
      ['skiff/kubepods/burstable', { cpuShares: 512 }],
      ['skiff/kubepods/burstable', { cpuShares: 768 }],
    ]);
  });
});

import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { snapshotPod, type PodSnapshot } from '../pod/pod-snapshot.ts';
import type { CgroupDriver } from './cgroup-driver.ts';
import { createPodCgroups } from './pod-cgroups.ts';

const pod = snapshotPod({
  metadata: { name: 'p', namespace: 'n', uid: 'u' },
  spec: { containers: [{ name: 'c', resources: { requests: { memory: '1Gi' }, limits: { memory: '2Gi' } } }] },
}) as PodSnapshot;

function setUp(present: readonly string[], busy: readonly string[]) {
  const there = new Set(present);
  const set: string[] = [];
  const driver: CgroupDriver = {
    set: async (cgroup, limits) => void set.push(`${cgroup.join('/')} ${limits.memoryBytes}`),
    remove: async (cgroup) => void there.delete(cgroup.join('/')),
    children: async (cgroup) => [...there].flatMap((p) => (path.posix.dirname(p) === cgroup.join('/') ? [path.posix.basename(p)] : [])),
    pathOf: (name) => name.split('/').filter((p) => p !== ''),
    parentName: (cgroup) => cgroup.join('/'),
    exists: async (cgroup) => there.has(cgroup.join('/')),
    isBusy: async (cgroup) => busy.includes(cgroup.join('/')),
  };
  const cgroups = createPodCgroups(
    { root: ['skiff', 'kubepods'], formerRoot: ['kubepods'], pageSizes: [], swap: true },
    { driver, onPod: async () => undefined },
  );
  return { cgroups, set, there };
}

describe('pods of an earlier version, which had another place', () => {
  it('get their limits where they run, and leave nothing there', async () => {
    const { cgroups, set, there } = setUp(['kubepods/burstable/podu', 'kubepods/podother'], ['kubepods/burstable/podu']);
    expect(await cgroups.ensure(pod)).toBe('kubepods/burstable/podu');
    expect(set).toEqual([`kubepods/burstable/podu ${2 * 1024 ** 3}`]);
    await cgroups.remove('u');
    expect([...there]).toEqual(['kubepods/podother']);
  });
  it('get the new place with their next sandbox', async () => {
    const { cgroups, set } = setUp(['kubepods/burstable/podu'], []);
    expect(await cgroups.ensure(pod)).toBe('skiff/kubepods/burstable/podu');
    expect(set).toEqual([`skiff/kubepods/burstable/podu ${2 * 1024 ** 3}`]);
  });
});

it('lists what is to be swept, and nothing that runs: it may be of another kubelet with the same root', async () => {
  const mine = 'skiff/kubepods';
  const { cgroups } = setUp(
    [`${mine}/poda`, `${mine}/burstable/podb`, `${mine}/besteffort/podc`, 'kubepods/podd'],
    [`${mine}/burstable/podb`],
  );
  expect(await cgroups.listIdle()).toEqual(['a', 'c']);
});

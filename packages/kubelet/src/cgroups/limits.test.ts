import { describe, expect, it } from 'vitest';
import { sliceDirectory, sliceName } from './cgroup-driver.ts';
import { type CgroupLimits, pageSizeName, renderFiles, renderProperties, sharesToWeight } from './limits.ts';

const none = Number.POSITIVE_INFINITY;
const all: CgroupLimits = {
  cpuShares: 1024,
  cpuQuotaMicros: 25_500,
  memoryBytes: 4096,
  swapBytes: 0,
  pids: 10,
  hugePages: new Map([[2 * 1024 ** 2, 0]]),
};
const open: CgroupLimits = { cpuQuotaMicros: none, memoryBytes: none, pids: none };

describe('limits as files', () => {
  it.each<[1 | 2, CgroupLimits, string[]]>([
    [
      1,
      all,
      [
        'cpu/cpu.shares=1024',
        'cpu/cpu.cfs_quota_us=25500',
        'memory/memory.limit_in_bytes=4096',
        'pids/pids.max=10',
        'hugetlb/hugetlb.2MB.limit_in_bytes=0',
      ],
    ],
    [2, all, ['/cpu.weight=100', '/cpu.max=25500 100000', '/memory.max=4096', '/memory.swap.max=0', '/pids.max=10', '/hugetlb.2MB.max=0']],
    [1, open, ['cpu/cpu.cfs_quota_us=-1', 'memory/memory.limit_in_bytes=-1', 'pids/pids.max=max']],
    [2, open, ['/cpu.max=max 100000', '/memory.max=max', '/pids.max=max']],
    [2, {}, []],
  ])('of cgroup v%i', (version, limits, expected) => {
    expect(renderFiles(limits, version).map((f) => `${f.controller}/${f.file}=${f.value}`)).toEqual(expected);
  });

  it.each([
    [2, 1],
    [102, 17],
    [1024, 100],
    [2048, 174],
    [262_144, 10_000],
  ])('%i shares are weight %i', (shares, weight) => {
    expect(sharesToWeight(shares)).toBe(weight);
  });

  it.each([
    [64 * 1024, '64KB'],
    [2 * 1024 ** 2, '2MB'],
    [512 * 1024 ** 2, '512MB'],
    [1024 ** 3, '1GB'],
    [16 * 1024 ** 3, '16GB'],
  ])('pages of %i bytes are %s', (bytes, name) => {
    expect(pageSizeName(bytes)).toBe(name);
  });
});

describe('limits as properties of a slice', () => {
  it.each<[1 | 2, CgroupLimits, string[]]>([
    [1, all, ['CPUShares=1024', 'CPUQuotaPerSecUSec=260000', 'MemoryLimit=4096', 'TasksMax=10']],
    [2, all, ['CPUWeight=100', 'CPUQuotaPerSecUSec=260000', 'MemoryMax=4096', 'MemorySwapMax=0', 'TasksMax=10']],
    [2, open, ['CPUQuotaPerSecUSec=18446744073709551615', 'MemoryMax=18446744073709551615', 'TasksMax=18446744073709551615']],
  ])('of cgroup v%i', (version, limits, expected) => {
    expect(renderProperties(limits, version).map(([name, value]) => `${name}=${value}`)).toEqual(expected);
  });

  it('a slice spells its parents', () => {
    const cgroup = ['my-skiff', 'kubepods', 'burstable', 'pod1-2'];
    expect(sliceName(cgroup)).toBe('my_skiff-kubepods-burstable-pod1_2.slice');
    expect(sliceDirectory(cgroup)).toBe(
      '/my_skiff.slice/my_skiff-kubepods.slice/my_skiff-kubepods-burstable.slice/my_skiff-kubepods-burstable-pod1_2.slice',
    );
  });
});

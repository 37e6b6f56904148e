import { describe, expect, it } from 'vitest';
import { cgroupSettings, containerCgroup } from './container-cgroup.ts';

describe('what the engine has no setting for', () => {
  const resources = { hugePageLimits: { '2MB': 4096 }, unified: { 'memory.oom.group': '1' } };
  it.each([
    [
      2,
      [
        ['hugetlb.2MB.max', '4096'],
        ['memory.oom.group', '1'],
      ],
    ],
    [1, [['hugetlb.2MB.limit_in_bytes', '4096']]],
  ] as const)('is written into files of cgroup v%i', (version, expected) => {
    expect(cgroupSettings(resources, version).map((s) => [s.file, s.value])).toEqual(expected);
  });

  it('lies where the engine puts the container', () => {
    expect(containerCgroup('cgroupfs', '/skiff/kubepods/podx', 'c1')).toBe('/skiff/kubepods/podx/c1');
    expect(containerCgroup('systemd', 'skiff-kubepods-podx_y.slice', 'c1')).toBe(
      '/skiff.slice/skiff-kubepods.slice/skiff-kubepods-podx_y.slice/docker-c1.scope',
    );
  });
});

import { expect, it } from 'vitest';
import { readDetails } from './cgroup-details.ts';

const reader = (files: Readonly<Record<string, string>>) => async (controller: string, file: string) =>
  files[controller === '' ? file : `${controller}/${file}`] ?? '';

it('reads what both versions of cgroups tell', async () => {
  const v1 = await readDetails(
    1,
    reader({
      'cpu/cpu.stat': 'nr_periods 10\nnr_throttled 4\nthrottled_time 500\n',
      'cpuacct/cpuacct.stat': 'user 3\nsystem 2\n',
      'memory/memory.stat': 'cache 1\ntotal_cache 77\n',
      'memory/memory.max_usage_in_bytes': '99\n',
      'memory/memory.failcnt': '5\n',
      'memory/memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\noom_kill 1\n',
      'blkio/blkio.throttle.io_service_bytes': '8:0 Read 100\n8:0 Write 200\n8:0 Total 300\nTotal 300\n',
      'blkio/blkio.throttle.io_serviced': '8:0 Read 1\n8:0 Write 2\n',
    }),
  );
  const devices = [{ device: '8:0', readBytes: 100, writtenBytes: 200, reads: 1, writes: 2 }];
  expect(v1).toEqual({
    userNanos: 30_000_000,
    systemNanos: 20_000_000,
    periods: 10,
    throttledPeriods: 4,
    throttledNanos: 500,
    cacheBytes: 77,
    maxUsageBytes: 99,
    memoryFailures: 5,
    oomKills: 1,
    devices,
  });
  const v2 = await readDetails(
    2,
    reader({
      'cpu.stat': 'usage_usec 9\nuser_usec 3\nsystem_usec 2\nnr_periods 10\nnr_throttled 4\nthrottled_usec 500\n',
      'memory.stat': 'anon 1\nfile 77\n',
      'memory.events': 'low 0\nmax 5\noom_kill 1\n',
      'io.stat': '8:0 rbytes=100 wbytes=200 rios=1 wios=2 dbytes=0 dios=0\n',
    }),
  );
  expect(v2).toMatchObject({ userNanos: 3000, throttledNanos: 500_000, cacheBytes: 77, memoryFailures: 5, oomKills: 1, devices });
  expect(v2).not.toHaveProperty('maxUsageBytes');
});

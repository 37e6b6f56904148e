import { describe, expect, it } from 'vitest';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createCgroupReader, parentOf, parseCgroupPaths } from './cgroup-reader.ts';
import { createCpuRates } from './cpu-rate.ts';
import { parseDu } from './disk-meter.ts';
import { parseNetDev } from './network-stats.ts';

const v1 = '11:pids:/skiff/kubepods/podx/c\n5:cpu,cpuacct:/skiff/kubepods/podx/c\n4:memory:/skiff/kubepods/podx/c\n1:name=systemd:/\n';

describe('cgroups', () => {
  it('are found by process', () => {
    expect(parseCgroupPaths(v1, 1)?.get('cpuacct')).toBe('/skiff/kubepods/podx/c');
    expect(parseCgroupPaths('0::/kubepods.slice/a.scope\n', 2)?.get('')).toBe('/kubepods.slice/a.scope');
    expect(parseCgroupPaths('0::/../outside\n', 2)).toBeUndefined();
    expect(parseCgroupPaths('', 2)).toBeUndefined();
  });

  it.each([
    [
      1 as const,
      v1,
      {
        'memory/skiff/kubepods/podx/memory.usage_in_bytes': '5000\n',
        'memory/skiff/kubepods/podx/memory.limit_in_bytes': '9223372036854771712\n',
        'memory/skiff/kubepods/podx/memory.stat':
          'cache 1\ntotal_inactive_file 1000\ntotal_rss 3000\ntotal_pgfault 7\ntotal_pgmajfault 1\n',
        'cpuacct/skiff/kubepods/podx/cpuacct.usage': '123456\n',
        'pids/skiff/kubepods/podx/pids.current': '4\n',
      },
    ],
    [
      2 as const,
      '0::/skiff/kubepods/podx/c\n',
      {
        'skiff/kubepods/podx/memory.current': '5000\n',
        'skiff/kubepods/podx/memory.max': 'max\n',
        'skiff/kubepods/podx/memory.stat': 'anon 3000\ninactive_file 1000\npgfault 7\npgmajfault 1\n',
        'skiff/kubepods/podx/cpu.stat': 'usage_usec 123.456\nuser_usec 1\n',
        'skiff/kubepods/podx/pids.current': '4\n',
      },
    ],
  ])('of version %i are read', async (version, said, files) => {
    const root = mkdtempSync(join(tmpdir(), 'cgroups-'));
    try {
      for (const [name, text] of Object.entries(files)) {
        mkdirSync(dirname(join(root, 'sys/fs/cgroup', name)), { recursive: true });
        writeFileSync(join(root, 'sys/fs/cgroup', name), text);
      }
      const reader = createCgroupReader({ version, local: (p) => join(root, p) });
      const paths = parseCgroupPaths(said, version);
      if (paths === undefined) throw new Error('no paths');
      expect(await reader.read(parentOf(paths))).toEqual({
        cpuNanos: 123_456,
        memoryUsageBytes: 5000,
        workingSetBytes: 4000,
        rssBytes: 3000,
        pageFaults: 7,
        majorPageFaults: 1,
        processes: 4,
        swapBytes: 0,
      });
      expect(await reader.read(paths)).toBeUndefined();
    } finally {
      rmSync(root, { recursive: true });
    }
  });

  it('parseDu keeps blanks in paths', () => {
    expect(parseDu('12\t/a b/c\n0\t/d\n')).toEqual(
      new Map([
        ['/a b/c', 12],
        ['/d', 0],
      ]),
    );
  });
});

it('CPU rates are those between two readings, and of the whole life at first', () => {
  const rates = createCpuRates();
  expect(rates.rate('a', { atMs: 10_000, nanos: 5e9, sinceMs: 0 })).toBe(5e8);
  expect(rates.rate('a', { atMs: 10_100, nanos: 6e9, sinceMs: 0 })).toBe(5e8);
  expect(rates.rate('a', { atMs: 12_000, nanos: 9e9, sinceMs: 0 })).toBe(2e9);
  rates.sweep();
  rates.sweep();
  expect(rates.rate('a', { atMs: 20_000, nanos: 10e9, sinceMs: 0 })).toBe(5e8);
});

it('parseNetDev reads all interfaces but the loopback', () => {
  const text =
    'Inter-|   Receive  |  Transmit\n face |bytes packets\n    lo: 9 9 0 0 0 0 0 0 9 9 0 0 0 0 0 0\n  eth0: 516 6 1 2 0 0 0 0 70 3 4 5 0 0 0 0\n';
  expect(parseNetDev(text)).toEqual([
    { name: 'eth0', rxBytes: 516, rxPackets: 6, rxErrors: 1, rxDropped: 2, txBytes: 70, txPackets: 3, txErrors: 4, txDropped: 5 },
  ]);
});

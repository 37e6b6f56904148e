import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { HostMount } from '../host/host-mount.ts';
import { createCgroupDriver } from './cgroup-driver.ts';

const root = mkdtempSync(path.join(os.tmpdir(), 'cgroups-'));
afterAll(() => rmSync(root, { recursive: true }));

/** Files as the kernel would have them. */
const driverOf = (version: 1 | 2, driver: 'cgroupfs' | 'systemd', files: Readonly<Record<string, string>>) => {
  const host = mkdtempSync(path.join(root, 'host-'));
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(host, 'sys/fs/cgroup', name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  const hostMount = { local: (p: string) => path.join(host, p) } as HostMount;
  return Object.assign(createCgroupDriver({ version, driver }, { hostMount, run: async () => '' }), {
    textOf: (name: string): string => readFileSync(path.join(host, 'sys/fs/cgroup', name), 'utf8'),
  });
};

describe('a cgroup that processes are in', () => {
  it.each([
    [
      'of v2',
      driverOf(2, 'cgroupfs', { 'a/podb/cgroup.events': 'populated 1\nfrozen 0\n', 'a/podc/cgroup.events': 'populated 0\nfrozen 0\n' }),
    ],
    [
      'of v2, with systemd',
      driverOf(2, 'systemd', {
        'a.slice/a-podb.slice/cgroup.events': 'populated 1\n',
        'a.slice/a-podc.slice/cgroup.events': 'populated 0\n',
      }),
    ],
    [
      'of v1',
      driverOf(1, 'cgroupfs', {
        'memory/a/podb/cgroup.procs': '',
        'memory/a/podb/x/cgroup.procs': '7\n',
        'memory/a/podc/cgroup.procs': '',
      }),
    ],
  ])('%s', async (_name, driver) => {
    expect(await driver.isBusy(['a', 'podb'])).toBe(true);
    expect(await driver.isBusy(['a', 'podc'])).toBe(false);
    expect(await driver.isBusy(['a', 'podgone'])).toBe(false);
  });
});

describe('a cgroup of the host by its name', () => {
  const files = { 'system.slice/x': '', 'a.slice/a-b.slice/x': '', 'kube/x': '' };
  it.each([
    ['systemd', '/system.slice', true],
    ['systemd', '/a.slice/a-b.slice', true],
    ['systemd', '/a.slice/a-c.slice', false],
    ['cgroupfs', '/system.slice', true],
    ['cgroupfs', '/a.slice/a-b.slice', true],
    ['cgroupfs', '/kube', true],
  ] as const)('with %s: %s', async (kind, name, expected) => {
    const driver = driverOf(2, kind, files);
    expect(await driver.exists(driver.pathOf(name))).toBe(expected);
  });
});

it('asks for no more controllers than are missing', async () => {
  const driver = driverOf(2, 'cgroupfs', {
    'cgroup.controllers': 'cpuset cpu io memory hugetlb pids rdma\n',
    'cgroup.subtree_control': 'cpuset cpu memory pids\n',
  });
  await driver.set(['a'], {});
  expect(driver.textOf('cgroup.subtree_control')).toBe('+io +hugetlb');
});

import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { silentLogger } from '@skiff/component-base';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { HostMount } from '../host/host-mount.ts';
import { createLocalVolumes } from './local-volumes.ts';

let root: string;
const used = new Set<string>();
const volumes = () =>
  createLocalVolumes(
    { rootDirectory: root },
    { hostMount: { local: (p: string) => p } as HostMount, isInUse: async (name) => used.has(name), log: silentLogger },
  );
beforeEach(() => {
  root = mkdtempSync(path.join(os.tmpdir(), 'local-volumes-'));
  used.clear();
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

describe('local volumes', () => {
  it('are made once, for any user of a container, and keep what is in them', async () => {
    const made = await volumes().ensure('pvc-1', 1024);
    expect(made).toBe(path.join(root, 'local-volumes/pvc-1'));
    expect(statSync(made).mode & 0o777).toBe(0o777);
    expect(statSync(path.dirname(made)).mode & 0o777).toBe(0o700);
    writeFileSync(path.join(made, 'data'), 'x');
    await volumes().ensure('pvc-1', 2048);
    expect(readdirSync(made)).toEqual(['data']);
  });
  it('are refused where there is no room', async () => {
    await expect(volumes().ensure('pvc-1', 2 ** 50)).rejects.toThrow(/1125899906842624 bytes were asked for, \d+ bytes are free/);
    expect(existsSync(path.join(root, 'local-volumes/pvc-1'))).toBe(false);
  });
  it('go with all that is in them, but not while a pod has them', async () => {
    const made = await volumes().ensure('pvc-1', 1);
    writeFileSync(path.join(made, 'data'), 'x');
    used.add('pvc-1');
    await expect(volumes().remove('pvc-1')).rejects.toThrow('persistentvolume pvc-1 is still mounted by a pod of this node');
    used.clear();
    await volumes().remove('pvc-1');
    expect(existsSync(made)).toBe(false);
    await vi.waitFor(() => expect(readdirSync(path.join(root, 'local-volumes'))).toEqual([]), 20_000);
    await volumes().remove('pvc-1');
  });
  it('are completed by the next kubelet when their removal was cut off', async () => {
    mkdirSync(path.join(root, 'local-volumes/.removed-pvc-1/a'), { recursive: true });
    mkdirSync(path.join(root, 'local-volumes/pvc-2'));
    await volumes().sweep();
    expect(readdirSync(path.join(root, 'local-volumes'))).toEqual(['pvc-2']);
  });
  it.each(['..', '../x', '/etc', '.removed-pvc-1', 'a/b', 'A', ''])('never touch %j', async (name) => {
    await expect(volumes().remove(name)).rejects.toThrow("can't be the name of a volume");
    await expect(volumes().ensure(name, 1)).rejects.toThrow("can't be the name of a volume");
  });
  it('are not removed through a link', async () => {
    mkdirSync(path.join(root, 'local-volumes'));
    mkdirSync(path.join(root, 'outside'));
    symlinkSync(path.join(root, 'outside'), path.join(root, 'local-volumes/pvc-1'));
    await expect(volumes().remove('pvc-1')).rejects.toThrow('is not a directory');
    expect(existsSync(path.join(root, 'outside'))).toBe(true);
  });
});

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { checkAlone, checkKubeletDir } from './restore.ts';

let place: string;
beforeEach(() => {
  place = mkdtempSync(join(os.tmpdir(), 'restore-'));
});
afterEach(() => rmSync(place, { recursive: true, force: true }));

it('a backup of another machine does not take over the folder of another kubelet', () => {
  const kubeletDir = join(place, 'kubelet');
  const archived = { rootDir: '/var/lib/skiff', kubeletDir };
  expect(() => checkKubeletDir(archived, '/var/lib/skiff')).not.toThrow();
  expect(() => checkKubeletDir(archived, '/var/lib/trial')).toThrow('--root-dir /var/lib/skiff');
  mkdirSync(kubeletDir);
  writeFileSync(join(kubeletDir, 'config.yaml'), '');
  expect(() => checkKubeletDir(archived, '/var/lib/skiff')).toThrow('files of another kubelet');
  expect(() => checkKubeletDir({ ...archived, kubeletDir: '' }, '/var/lib/trial')).not.toThrow();
});

it('one of several members is not restored beside the others unless told so', () => {
  expect(() => checkAlone({ etcdExposed: false, nodeName: 'a' }, false)).not.toThrow();
  expect(() => checkAlone({ etcdExposed: true, nodeName: 'a' }, false)).toThrow(/members remove a.*--force/);
  expect(() => checkAlone({ etcdExposed: true, nodeName: 'a' }, true)).not.toThrow();
});

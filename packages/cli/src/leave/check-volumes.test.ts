import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { checkVolumes } from './leave.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(os.tmpdir(), 'leave-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

it('a host with data of claims on its disk leaves only by force', () => {
  expect(() => checkVolumes(root, false)).not.toThrow();
  mkdirSync(join(root, 'kubelet/local-volumes/.removed-pvc-0'), { recursive: true });
  expect(() => checkVolumes(root, false)).not.toThrow();
  mkdirSync(join(root, 'kubelet/local-volumes/pvc-1'));
  expect(() => checkVolumes(root, false)).toThrow('PersistentVolume pvc-1 lies on this host');
  mkdirSync(join(root, 'kubelet/local-volumes/pvc-2'));
  expect(() => checkVolumes(root, false)).toThrow('2 PersistentVolumes (pvc-1, …) lie on this host');
  expect(() => checkVolumes(root, true)).not.toThrow();
});

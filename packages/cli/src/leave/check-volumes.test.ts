import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { moreNodes } from '../cluster/more-nodes.ts';
import type { ClusterConfig } from '../config.ts';
import { checkVolumes } from './leave.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(os.tmpdir(), 'leave-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

it('a host with data of claims on its disk leaves only by force', () => {
  expect(() => checkVolumes([{ rootDir: root, kubeletDir: '' }], false)).not.toThrow();
  mkdirSync(join(root, 'kubelet/local-volumes/.removed-pvc-0'), { recursive: true });
  expect(() => checkVolumes([{ rootDir: root, kubeletDir: '' }], false)).not.toThrow();
  mkdirSync(join(root, 'kubelet/local-volumes/pvc-1'));
  expect(() => checkVolumes([{ rootDir: root, kubeletDir: '' }], false)).toThrow('PersistentVolume pvc-1 lies on this host');
  mkdirSync(join(root, 'kubelet/local-volumes/pvc-2'));
  expect(() => checkVolumes([{ rootDir: root, kubeletDir: '' }], false)).toThrow('2 PersistentVolumes (pvc-1, …) lie on this host');
  expect(() => checkVolumes([{ rootDir: root, kubeletDir: '' }], true)).not.toThrow();
});

it('looks at the disks of all nodes of the host', () => {
  const config = { rootDir: root, nodes: 3, nodeName: 'n', instance: 'i', kubeletPort: 1, healthPortBase: 1 } as ClusterConfig;
  const nodes = [config, ...moreNodes(config)];
  mkdirSync(join(root, 'kubelet/local-volumes'), { recursive: true });
  expect(() => checkVolumes(nodes, false)).not.toThrow();
  mkdirSync(join(root, 'nodes/3/kubelet/local-volumes/pvc-3'), { recursive: true });
  expect(() => checkVolumes(nodes, false)).toThrow('PersistentVolume pvc-3 lies on this host');
  expect(() => checkVolumes(nodes, true)).not.toThrow();
});

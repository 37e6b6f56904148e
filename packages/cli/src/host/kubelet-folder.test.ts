import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { moreNodes } from '../cluster/more-nodes.ts';
import { defaultConfig } from '../config.ts';
import { checkForContainers, isTaken, kubeletDir } from './kubelet-folder.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(os.tmpdir(), 'kubelet-folder-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('a folder is taken when there is more in it than what pods make before there is a kubelet', () => {
  expect(isTaken(join(folder, 'absent'))).toBe(false);
  expect(isTaken(folder)).toBe(false);
  mkdirSync(join(folder, 'device-plugins'));
  mkdirSync(join(folder, 'plugins'));
  // The owner's preparations: credentials and mirrors for the first pull.
  writeFileSync(join(folder, 'config.json'), '{}');
  writeFileSync(join(folder, 'registry-mirrors.yaml'), '');
  expect(isTaken(folder)).toBe(false);
  writeFileSync(join(folder, 'config.yaml'), '');
  expect(isTaken(folder)).toBe(true);
  expect(isTaken(join(folder, 'config.yaml'))).toBe(true);
  writeFileSync(join(folder, 'nodes.json'), '');
  expect(isTaken(folder)).toBe(false);
});

it('a symbolic link is no place for a kubelet', () => {
  symlinkSync(folder, join(folder, 'link'));
  expect(isTaken(join(folder, 'link'))).toBe(true);
});

it('hosts that knew no other folder, and further nodes of a host, have it in their own', () => {
  const { kubeletDir: _, ...old } = defaultConfig();
  expect(kubeletDir(old as ReturnType<typeof defaultConfig>)).toBe('/var/lib/skiff/kubelet');
  const config = { ...defaultConfig(), nodes: 2, kubeletDir: '/var/lib/kubelet' };
  expect([config, ...moreNodes(config)].map(kubeletDir)).toEqual(['/var/lib/kubelet', '/var/lib/skiff/nodes/2/kubelet']);
});

it('containers do not go on with a cluster whose kubelet uses what they do not see', () => {
  const config = defaultConfig();
  expect(() => checkForContainers(config)).not.toThrow();
  expect(() => checkForContainers({ ...config, kubeletDir: '/var/lib/skiff/kubelet' })).not.toThrow();
  expect(() => checkForContainers({ ...config, kubeletDir: '/var/lib/kubelet' })).toThrow('uses /var/lib/kubelet');
  expect(() => checkForContainers({ ...config, containerRuntimeEndpoint: 'unix:///run/x.sock' })).toThrow('uses unix:///run/x.sock');
});

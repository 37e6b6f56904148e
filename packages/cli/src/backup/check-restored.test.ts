import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type ClusterConfig, defaultConfig } from '../config.ts';
import { etcdData } from '../supervisor/etcd-process.ts';
import { checkRestored } from './check-restored.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(os.tmpdir(), 'restored-'));
});
const config = (): ClusterConfig => ({ ...defaultConfig(), rootDir: root });
afterEach(() => rmSync(root, { recursive: true, force: true }));

it('no empty cluster is begun where a restore was cut off', () => {
  expect(() => checkRestored({ ...defaultConfig(), rootDir: join(root, 'none') })).not.toThrow();
  expect(() => checkRestored(config())).not.toThrow();
  mkdirSync(join(root, 'etcd.replaced-20260101T000000Z'));
  mkdirSync(join(root, 'etcd.replaced-20260102T000000Z'));
  expect(() => checkRestored(config())).toThrow(join(root, 'etcd.replaced-20260102T000000Z'));
  mkdirSync(join(root, 'etcd/member/wal'), { recursive: true });
  writeFileSync(join(root, 'etcd/member/wal/0.wal'), '');
  expect(() => checkRestored(config())).not.toThrow();
});

it('nor where the data of etcd was lost', () => {
  const data = etcdData(config());
  writeFileSync(data.marker, '');
  expect(() => checkRestored(config())).toThrow(/the data of etcd is gone .*skiff restore/);
  // An etcd of somebody else is theirs to guard.
  expect(() => checkRestored({ ...config(), etcdServers: 'https://10.0.0.5:2379' })).not.toThrow();
  // One of several members comes back by the others, not by a backup.
  expect(() => checkRestored({ ...config(), etcdExposed: true, nodeName: 'b' })).toThrow(/members remove b.*restore --force/);
  // A disk that came up empty, a copy that was cut off, one that an earlier restore has left something beside.
  mkdirSync(data.folder, { recursive: true });
  expect(() => checkRestored(config())).toThrow(/the data of etcd is gone/);
  mkdirSync(join(root, 'etcd.replaced-20260101T000000Z'));
  expect(() => checkRestored(config())).toThrow(/the data of etcd is gone/);
  writeFileSync(join(data.folder, '0000000000000000-0000000000000000.wal'), '');
  expect(() => checkRestored(config())).not.toThrow();
});

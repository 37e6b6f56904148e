import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { etcdData } from '../supervisor/etcd-process.ts';
import { checkRestored } from './check-restored.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(os.tmpdir(), 'restored-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

it('no empty cluster is begun where a restore was cut off', () => {
  expect(() => checkRestored(join(root, 'none'))).not.toThrow();
  expect(() => checkRestored(root)).not.toThrow();
  mkdirSync(join(root, 'etcd.replaced-20260101T000000Z'));
  mkdirSync(join(root, 'etcd.replaced-20260102T000000Z'));
  expect(() => checkRestored(root)).toThrow(join(root, 'etcd.replaced-20260102T000000Z'));
  mkdirSync(join(root, 'etcd/member/wal'), { recursive: true });
  writeFileSync(join(root, 'etcd/member/wal/0.wal'), '');
  expect(() => checkRestored(root)).not.toThrow();
});

it('nor where the data of etcd was lost', () => {
  const data = etcdData(root);
  writeFileSync(data.marker, '');
  expect(() => checkRestored(root)).toThrow(/the data of etcd is gone .*skiff restore/);
  // A disk that came up empty, a copy that was cut off, one that an earlier restore has left something beside.
  mkdirSync(data.folder, { recursive: true });
  expect(() => checkRestored(root)).toThrow(/the data of etcd is gone/);
  mkdirSync(join(root, 'etcd.replaced-20260101T000000Z'));
  expect(() => checkRestored(root)).toThrow(/the data of etcd is gone/);
  writeFileSync(join(data.folder, '0000000000000000-0000000000000000.wal'), '');
  expect(() => checkRestored(root)).not.toThrow();
});

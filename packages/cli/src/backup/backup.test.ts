import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runOk } from '../host/run.ts';
import { packArchive, unpackArchive } from './archive.ts';
import { backupName, pruneBackups } from './backup.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skiff-backup-'));
  for (const name of ['in/pki/etcd', 'out']) mkdirSync(join(folder, name), { recursive: true });
});
afterEach(() => rmSync(folder, { recursive: true }));

const manifest = {
  takenAt: '2026-01-01T00:00:00Z',
  node: 'n',
  skiffVersion: '0',
  kubernetesVersion: 'v1.36.2',
  etcdVersion: '3.4',
  etcdClusterId: '1',
  revision: 7,
};
const archive = (): string => join(folder, 'b.tar');
async function pack(): Promise<void> {
  writeFileSync(join(folder, 'in/etcd.db'), 'database');
  writeFileSync(join(folder, 'in/pki/etcd/ca.key'), 'key');
  await packArchive(join(folder, 'in'), ['etcd.db', 'pki/etcd/ca.key'], { manifest, output: archive() });
}
const unpack = (): Promise<unknown> => unpackArchive(archive(), join(folder, 'out'));

describe('an archive', () => {
  it('comes back as it was, and only its owner reads it', async () => {
    await pack();
    expect(statSync(archive()).mode & 0o777).toBe(0o600);
    expect(await unpack()).toMatchObject({ format: 1, revision: 7 });
    expect(readFileSync(join(folder, 'out/pki/etcd/ca.key'), 'utf8')).toBe('key');
    expect(readdirSync(folder).toSorted()).toEqual(['b.tar', 'in', 'out']);
  });

  it('is refused when it is absent, torn, changed, or holds what it should not', async () => {
    await expect(unpack()).rejects.toThrow('There is no backup');
    await pack();
    const whole = readFileSync(archive());
    writeFileSync(archive(), whole.subarray(0, 1500));
    await expect(unpack()).rejects.toThrow(/is torn|is damaged|lacks/);
    writeFileSync(archive(), Buffer.from(whole.toString('latin1').replace('database', 'databasE'), 'latin1'));
    await expect(unpack()).rejects.toThrow('is damaged: etcd.db');
    symlinkSync('/etc/passwd', join(folder, 'in/link.key'));
    await runOk('tar', ['-C', join(folder, 'in'), '-cf', archive(), 'manifest.json', 'link.key']);
    await expect(unpack()).rejects.toThrow('is no backup of Skiff');
    await runOk('tar', ['-P', '-cf', archive(), '--transform', 's,.*,../../escape.key,', join(folder, 'in/etcd.db')]);
    await expect(unpack()).rejects.toThrow('is no backup of Skiff');
  });
});

describe('kept backups', () => {
  it('are the newest, and nothing else in the folder is touched', () => {
    const out = join(folder, 'out');
    const names = [1, 2, 3, 4].map((day) => backupName(Date.UTC(2026, 0, day)));
    for (const name of [...names, 'mine.tar', 'skiff-notes.txt']) writeFileSync(join(out, name), '');
    expect(pruneBackups(out, 2)).toEqual(names.slice(0, 2));
    expect(readdirSync(out).toSorted()).toEqual(['mine.tar', ...names.slice(2), 'skiff-notes.txt'].toSorted());
    expect(pruneBackups(out, 2)).toEqual([]);
  });
});

import { createWriteStream, cpSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { kubernetesVersion, skiffVersion } from '../cluster/cluster-settings.ts';
import { openEtcd, reasonOf } from '../control-plane/etcd-access.ts';
import type { ClusterConfig } from '../config.ts';
import { UserError } from '../user-error.ts';
import { configFile, databaseFile, packArchive } from './archive.ts';

/** What can't be made anew: with them a cluster comes back on a machine that never was part of it. */
const keyFiles = [
  'pki/ca.crt',
  'pki/ca.key',
  'pki/front-proxy-ca.crt',
  'pki/front-proxy-ca.key',
  'pki/etcd/ca.crt',
  'pki/etcd/ca.key',
  'pki/sa.key',
  'pki/sa.pub',
  'pki/encryption-config.yaml',
] as const;

export const backupsFolder = (config: ClusterConfig): string =>
  config.backupDir === '' ? join(config.rootDir, 'backups') : config.backupDir;
const namePattern = /^skiff-\d{8}T\d{6}Z\.tar$/;
/** Sorts by time. */
export const backupName = (nowMs: number): string => `skiff-${new Date(nowMs).toISOString().slice(0, 19).replace(/[-:]/g, '')}Z.tar`;

export interface BackupResult {
  readonly path: string;
  readonly bytes: number;
  readonly revision: number;
}

/** Takes a snapshot of etcd, checks it and packs it. `withKeys`: the authorities' keys too. Throws UserError. */
export async function backup(config: ClusterConfig, o: { output: string; withKeys: boolean; signal: AbortSignal }): Promise<BackupResult> {
  const { verifySnapshot } = await import('@skiff/storage');
  await mkdir(dirname(o.output), { recursive: true, mode: 0o700 });
  // On the same disk: it is as large as the database.
  const folder = mkdtempSync(join(dirname(o.output), '.backup-'));
  const etcd = await openEtcd(config);
  try {
    const status = await etcd.status();
    const database = join(folder, databaseFile);
    await pipeline(Readable.from(etcd.snapshot(o.signal)), createWriteStream(database, { mode: 0o600, flush: true }), { signal: o.signal });
    await verifySnapshot(database);
    writeFileSync(join(folder, configFile), JSON.stringify(config, null, 2), { mode: 0o600 });
    const keys = o.withKeys ? keyFiles.filter((f) => existsSync(join(config.rootDir, f))) : [];
    for (const file of keys) cpSync(join(config.rootDir, file), join(folder, file), { recursive: true });
    const manifest = {
      takenAt: new Date().toISOString(),
      node: config.nodeName,
      skiffVersion,
      kubernetesVersion,
      etcdVersion: status.version,
      etcdClusterId: status.clusterId,
      revision: status.revision,
    };
    await packArchive(folder, [databaseFile, configFile, ...keys], { manifest, output: o.output });
    return { path: o.output, bytes: statSync(o.output).size, revision: status.revision };
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`The backup failed: ${reasonOf(error)}`);
  } finally {
    etcd.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Deletes the oldest backups of a folder beyond `keep`. Other files are not touched. Returns the names of the deleted. */
export function pruneBackups(folder: string, keep: number): readonly string[] {
  const old = readdirSync(folder)
    .filter((name) => namePattern.test(name))
    .toSorted()
    .slice(0, -keep);
  for (const name of old) rmSync(join(folder, name));
  return old;
}

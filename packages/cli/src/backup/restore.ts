import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, openSync, closeSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { openEtcd, reasonOf } from '../control-plane/etcd-access.ts';
import { type ClusterConfig, defaultNodeAddress, loadConfig, saveConfig } from '../config.ts';
import { stopProcesses } from '../down/stop-processes.ts';
import { ensureHost } from '../host/ensure-host.ts';
import { isTaken } from '../host/kubelet-folder.ts';
import { preparePki } from '../pki/prepare-pki.ts';
import { etcdProcess, etcdTlsFiles, isExternalEtcd } from '../supervisor/etcd-process.ts';
import type { Steps } from '../up/steps.ts';
import { UserError } from '../user-error.ts';
import { configFile, databaseFile, type Manifest, unpackArchive } from './archive.ts';

const etcdStartMs = 30_000;
const writesAtOnce = 64;
/** More than a cluster can have written between the backup and its loss, and room for clocks that were wrong. */
const offsetStep = 1_000_000_000;

/** PersistentVolumes hold paths below the kubelet's directory: another machine must have the same, and it must be nobody else's. Throws UserError. */
export function checkKubeletDir(archived: Pick<ClusterConfig, 'rootDir' | 'kubeletDir'>, rootDir: string): void {
  const wanted = archived.kubeletDir ?? '';
  if (wanted === '') return;
  if (archived.rootDir !== rootDir)
    throw new UserError(
      `The kubelet of the backup's host works in ${wanted}, which belongs to a cluster in ${archived.rootDir}: restore it with --root-dir ${archived.rootDir}.`,
      'usage',
    );
  if (isTaken(wanted))
    throw new UserError(
      `The kubelet of the backup's host works in ${wanted}; here that is a link or has files of another kubelet. Move them away first.`,
      'conflict',
    );
}

/** The other members would go on with the cluster that this host leaves, under the same keys: two clusters would rule the same hosts. Throws UserError. */
export function checkAlone(own: Pick<ClusterConfig, 'etcdExposed' | 'nodeName'>, force: boolean): void {
  if (!own.etcdExposed || force) return;
  throw new UserError(
    'This host is one of several of a control plane; a restore makes it the only one, and any other that goes on has a cluster of its own. ' +
      `While most of the others run, come back by them: \`skiff members remove ${own.nodeName}\` there, \`skiff down --wipe\` here, then join again. ` +
      'If they are gone, or you have stopped them (skiff down) to wipe them: --force.',
    'refused',
  );
}

/** The configuration that this host is to have. */
function configFor(unpacked: string, rootDir: string, given: Partial<ClusterConfig>, force: boolean): ClusterConfig {
  const own = loadConfig(rootDir);
  if (own !== undefined && own.role !== 'control-plane')
    throw new UserError('This host has joined a cluster as a node; a backup is restored on a host of the control plane.', 'usage');
  const archived = JSON.parse(readFileSync(join(unpacked, configFile), 'utf8')) as ClusterConfig;
  if (own === undefined) checkKubeletDir(archived, rootDir);
  else checkAlone(own, force);
  const base = own ?? { ...archived, nodeAddress: defaultNodeAddress() };
  if (isExternalEtcd(base))
    throw new UserError(
      'etcd is not Skiff’s here; restore it with its own tools (etcdutl snapshot restore takes etcd.db of the archive).',
      'usage',
    );
  // It becomes the only member; others join it anew.
  return { ...base, ...given, rootDir, etcdInitialCluster: '', etcdPromoted: false, etcdPeers: [] };
}

/** The archive's keys on a host that has none; on one that has, they must be the same cluster's. */
function restoreKeys(unpacked: string, rootDir: string): void {
  const own = join(rootDir, 'pki/ca.crt');
  const archived = join(unpacked, 'pki/ca.crt');
  if (existsSync(own)) {
    if (existsSync(archived) && readFileSync(own, 'utf8') !== readFileSync(archived, 'utf8'))
      throw new UserError(
        'The backup is of another cluster than the one on this host (its CA differs). `skiff down --wipe` makes room.',
        'conflict',
      );
    const encryption = 'pki/encryption-config.yaml';
    if (existsSync(join(unpacked, encryption)) && !existsSync(join(rootDir, encryption)))
      cpSync(join(unpacked, encryption), join(rootDir, encryption));
    return;
  }
  if (!existsSync(archived))
    throw new UserError('The backup was taken without keys, and this host has none: restore it on the host that it was taken on.', 'usage');
  cpSync(join(unpacked, 'pki'), join(rootDir, 'pki'), { recursive: true });
}

/** Runs etcd by itself on `dataDir` while `work` runs. */
async function withEtcd<T>(config: ClusterConfig, dataDir: string, work: () => Promise<T>): Promise<T> {
  const { command, args } = etcdProcess(config);
  mkdirSync(join(config.rootDir, 'log'), { recursive: true, mode: 0o750 });
  const log = openSync(join(config.rootDir, 'log/etcd-restore.log'), 'a', 0o640);
  const child = spawn(command, [...args.filter((a) => !a.startsWith('--data-dir=')), `--data-dir=${dataDir}`], {
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  const ended = new Promise<void>((resolve) => {
    child.once('error', () => resolve());
    child.once('exit', () => resolve());
  });
  try {
    const etcd = await openEtcd(config);
    const deadline = Date.now() + etcdStartMs;
    for (let why = 'it has no leader'; ; ) {
      try {
        if ((await etcd.status()).leaderId !== '0') break;
        why = 'it has no leader';
      } catch (error) {
        why = reasonOf(error);
      }
      if (Date.now() > deadline || child.exitCode !== null)
        throw new UserError(`etcd does not start: ${why}; see ${join(config.rootDir, 'log/etcd-restore.log')}`);
      await new Promise((r) => setTimeout(r, 50));
    }
    etcd.close();
    return await work();
  } finally {
    child.kill('SIGTERM');
    await ended;
  }
}

/** Writes the state of the snapshot into an empty etcd, and last that all revisions of before are over. Resolves with the number of keys. */
async function fill(config: ClusterConfig, database: string): Promise<number> {
  const { createEtcdStore, readSnapshot, revisionOffsetKey } = await import('@skiff/storage');
  const { ca, cert, key } = etcdTlsFiles(config);
  const read = (file: string | undefined): Buffer => readFileSync(file ?? '');
  await using store = createEtcdStore({
    endpoints: [`https://127.0.0.1:${config.etcdClientPort}`],
    tls: { ca: read(ca), cert: read(cert), key: read(key) },
  });
  const own = new Set([revisionOffsetKey, 'skiff_compacted_revision', 'compact_rev_key']);
  let before = 0;
  let keys = 0;
  const running = new Set<Promise<void>>();
  for await (const entry of readSnapshot(database)) {
    const name = entry.key.toString();
    if (name === revisionOffsetKey) before = Number(entry.value.toString());
    if (own.has(name)) continue;
    const write = store.put(name, entry.value, { expected: 0 }).then((result) => {
      if (result.outcome !== 'committed') throw new UserError(`the snapshot has the key ${name} twice`);
    });
    const tracked = write.finally(() => running.delete(tracked));
    running.add(tracked);
    keys += 1;
    if (running.size >= writesAtOnce) await Promise.race(running);
  }
  await Promise.all(running);
  // Revisions go on beyond everything that the lost future can have given out; the clock keeps two restores of one backup apart.
  const offset = Math.max(before + offsetStep, Date.now());
  await store.put(revisionOffsetKey, Buffer.from(String(offset)), { expected: 0 });
  return keys;
}

/**
 * Makes the state of a backup this cluster's. The etcd that was here is kept beside the new one. Nothing is changed before the backup has been
 * checked and read to its end. `force`: no other member of the control plane goes on. Throws UserError.
 */
export async function restore(
  path: string,
  rootDir: string,
  steps: Steps,
  given: Partial<ClusterConfig>,
  o: { force: boolean },
): Promise<{ config: ClusterConfig; manifest: Manifest }> {
  mkdirSync(rootDir, { recursive: true, mode: 0o755 });
  const unpacked = mkdtempSync(join(rootDir, '.restore-'));
  try {
    const manifest = await steps.run('Checking the backup', async (note) => {
      const { verifySnapshot } = await import('@skiff/storage');
      const found = await unpackArchive(path, unpacked);
      await verifySnapshot(join(unpacked, databaseFile)).catch((error: unknown) => {
        throw new UserError(reasonOf(error), 'refused');
      });
      note(`of ${found.node}, ${found.takenAt}, revision ${found.revision}`);
      return found;
    });
    const config = configFor(unpacked, rootDir, given, o.force);
    await ensureHost(config, steps);
    restoreKeys(unpacked, rootDir);
    if (existsSync(join(rootDir, 'run'))) await stopProcesses(rootDir, steps);
    await preparePki(config);
    await steps.run('Filling a new etcd', async (note) => {
      const fresh = join(unpacked, 'etcd');
      const keys = await withEtcd(config, fresh, () => fill(config, join(unpacked, databaseFile))).catch((error: unknown) => {
        throw error instanceof UserError ? error : new UserError(`The backup can't be read into etcd: ${reasonOf(error)}`);
      });
      const current = join(rootDir, 'etcd');
      if (existsSync(current)) {
        const kept = `${current}.replaced-${new Date().toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`;
        renameSync(current, kept);
        note(`${keys} keys; the old data is in ${kept}`);
      } else note(`${keys} keys`);
      renameSync(fresh, current);
      saveConfig(config);
    });
    return { config, manifest };
  } finally {
    rmSync(unpacked, { recursive: true, force: true });
  }
}

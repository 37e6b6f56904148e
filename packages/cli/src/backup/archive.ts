import { createHash } from 'node:crypto';
import { createReadStream, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { chmod } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { run, runOk } from '../host/run.ts';
import { UserError } from '../user-error.ts';

/** What a backup says of itself. */
export interface Manifest {
  readonly format: 1;
  readonly takenAt: string;
  readonly node: string;
  readonly skiffVersion: string;
  readonly kubernetesVersion: string;
  readonly etcdVersion: string;
  readonly etcdClusterId: string;
  /** etcd's revision when it was taken. */
  readonly revision: number;
  /** SHA-256 of each file, in hexadecimal. */
  readonly sha256: Readonly<Record<string, string>>;
}

export const manifestFile = 'manifest.json';
export const databaseFile = 'etcd.db';
export const configFile = 'cluster.json';
/** Nothing else is taken out of an archive: it may come from anywhere. */
const allowedFile =
  /^(?:manifest\.json|etcd\.db|cluster\.json|pki\/encryption-config\.yaml|pki\/(?:[a-z0-9-]+\/)?[a-z0-9-]+\.(?:crt|key|pub))$/;

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** Makes one file of what lies in `folder`, readable for its owner only: it holds Secrets. It is there whole or not at all. */
export async function packArchive(
  folder: string,
  files: readonly string[],
  o: { readonly manifest: Omit<Manifest, 'sha256' | 'format'>; readonly output: string },
): Promise<void> {
  const sha256: Record<string, string> = {};
  for (const file of files) sha256[file] = await hashOf(join(folder, file));
  const manifest: Manifest = { format: 1, ...o.manifest, sha256 };
  writeFileSync(join(folder, manifestFile), `${JSON.stringify(manifest, null, 2)}\n`, { mode: 0o600 });
  const partial = `${o.output}.partial`;
  mkdirSync(dirname(o.output), { recursive: true, mode: 0o700 });
  try {
    writeFileSync(partial, '', { mode: 0o600 });
    await runOk('tar', ['-C', folder, '-cf', partial, manifestFile, ...files]);
    await chmod(partial, 0o600);
    await runOk('sync', [partial]);
    renameSync(partial, o.output);
  } finally {
    rmSync(partial, { force: true });
  }
}

/** Takes an archive apart in `folder`, and checks every file against the manifest. Throws UserError that says what is wrong with it. */
export async function unpackArchive(path: string, folder: string): Promise<Manifest> {
  if (!existsSync(path)) throw new UserError(`There is no backup ${path}.`, 'usage');
  const listed = await run('tar', ['-tvf', path]);
  if (listed.code !== 0) throw new UserError(`${path} is torn, or no backup: ${listed.stderr.trim().split('\n')[0] ?? ''}`, 'refused');
  for (const line of listed.stdout.trim().split('\n')) {
    const name = line.split(/\s+/).slice(5).join(' ');
    if (!line.startsWith('-') || !allowedFile.test(name))
      throw new UserError(`${path} is no backup of Skiff: it holds "${name}".`, 'refused');
  }
  await runOk('tar', ['-C', folder, '--no-same-owner', '-xf', path]);
  let manifest: Manifest;
  try {
    manifest = JSON.parse(readFileSync(join(folder, manifestFile), 'utf8')) as Manifest;
  } catch {
    throw new UserError(`${path} is no backup of Skiff: it has no manifest.`, 'refused');
  }
  if (manifest.format !== 1) throw new UserError(`${path} is of a later version of Skiff (format ${String(manifest.format)}).`, 'refused');
  for (const [file, expected] of Object.entries(manifest.sha256)) {
    const at = join(folder, file);
    if (!allowedFile.test(file) || !existsSync(at)) throw new UserError(`${path} lacks ${file}.`, 'refused');
    if ((await hashOf(at)) !== expected) throw new UserError(`${path} is damaged: ${file} is not what was put into it.`, 'refused');
  }
  if (manifest.sha256[databaseFile] === undefined) throw new UserError(`${path} lacks ${databaseFile}.`, 'refused');
  return manifest;
}

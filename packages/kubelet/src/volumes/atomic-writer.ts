import {
  lchown,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  rmdir,
  symlink,
  unlink,
  writeFile,
  chmod,
  chown,
} from 'node:fs/promises';
import path from 'node:path';

export interface PayloadFile {
  readonly data: Buffer;
  /** Permission bits. */
  readonly mode: number;
  /** Owner of the file, where it is not root. */
  readonly uid?: number;
}
/** Relative path → file. */
export type Payload = ReadonlyMap<string, PayloadFile>;

export interface Ownership {
  readonly gid: number;
  /** Bits that group members get. */
  readonly fileBits: number;
  readonly directoryBits: number;
}

const dataLink = '..data';

/**
 * Writes a set of files into a directory so that readers see the old set or the new one, never a mix:
 *
 *   target/..2026_11_20_10_00_00.abc/key      the files
 *   target/..data  -> ..2026_11_20_10_00_00.abc   replaced by rename
 *   target/key     -> ..data/key
 *
 * Nothing is touched when the content is what it was. Returns whether something changed.
 */
export async function writeAtomically(target: string, payload: Payload, o: { now: Date; ownership?: Ownership }): Promise<boolean> {
  for (const name of payload.keys()) checkName(name);
  const oldName = await readlink(path.join(target, dataLink)).then(ownFolder, () => undefined);
  const oldDirectory = oldName === undefined ? undefined : path.join(target, oldName);
  if (oldDirectory !== undefined && (await isCurrent(oldDirectory, payload, o.ownership))) {
    await linkVisible(target, payload);
    return false;
  }
  const stamp = o.now.toISOString().slice(0, 19).replace(/[-T:]/g, '_');
  const fresh = await mkdtemp(path.join(target, `..${stamp}.`));
  try {
    await chmod(fresh, 0o755);
    await writeFiles(fresh, payload, o.ownership);
    const temporary = path.join(target, '..data_tmp');
    await rm(temporary, { force: true });
    await symlink(path.basename(fresh), temporary);
    await rename(temporary, path.join(target, dataLink));
  } catch (error) {
    // Where the disk is full, each further attempt would leave another one.
    await rm(fresh, { recursive: true, force: true }).catch(() => undefined);
    throw error;
  }
  await linkVisible(target, payload);
  await removeStale(target, payload);
  if (oldDirectory !== undefined) await rm(oldDirectory, { recursive: true, force: true });
  return true;
}

/** Throws for names that lead out of the folder, or into its own entries. */
function checkName(name: string): void {
  if (path.isAbsolute(name) || name === '' || name.startsWith('..') || name.split('/').includes('..'))
    throw new Error(`invalid path, must be relative, without "..", and not start with "..": ${name}`);
}
/** What `..data` leads to is removed later: only a folder that was made here may be. */
const ownFolder = (name: string): string | undefined => (/^\.\.[^./][^/]*$/.test(name) ? name : undefined);

async function writeFiles(directory: string, payload: Payload, ownership: Ownership | undefined): Promise<void> {
  const made = new Set<string>([directory]);
  for (const [name, file] of payload) {
    const full = path.join(directory, name);
    for (let parent = path.dirname(full), missing: string[] = []; ; parent = path.dirname(parent)) {
      if (!made.has(parent)) {
        missing.unshift(parent);
        continue;
      }
      for (const m of missing) {
        await mkdir(m);
        await chmod(m, 0o755);
        made.add(m);
      }
      break;
    }
    await writeFile(full, file.data, { mode: 0o600 });
    await chmod(full, file.mode);
    if (file.uid !== undefined) await chown(full, file.uid, -1);
    if (ownership !== undefined) {
      await chown(full, file.uid ?? 0, ownership.gid);
      await chmod(full, file.mode | ownership.fileBits);
    }
  }
  if (ownership === undefined) return;
  for (const d of made) {
    await chown(d, 0, ownership.gid);
    await chmod(d, 0o755 | ownership.directoryBits);
  }
}

async function listFiles(directory: string, prefix = ''): Promise<string[]> {
  const out: string[] = [];
  for (const entry of await readdir(path.join(directory, prefix), { withFileTypes: true })) {
    const name = path.join(prefix, entry.name);
    if (entry.isDirectory()) out.push(...(await listFiles(directory, name)));
    else out.push(name);
  }
  return out;
}

async function isCurrent(directory: string, payload: Payload, ownership: Ownership | undefined): Promise<boolean> {
  const present = await listFiles(directory).catch(() => undefined);
  if (present === undefined || present.length !== payload.size) return false;
  for (const [name, file] of payload) {
    const full = path.join(directory, name);
    try {
      const [data, stat] = await Promise.all([readFile(full), lstat(full)]);
      if (!data.equals(file.data) || (stat.mode & 0o777) !== (file.mode | (ownership?.fileBits ?? 0))) return false;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
      throw error;
    }
  }
  return true;
}

const topNames = (payload: Payload): Set<string> => new Set([...payload.keys()].map((name) => name.split('/')[0] ?? name));

async function linkVisible(target: string, payload: Payload): Promise<void> {
  for (const name of topNames(payload)) {
    const link = path.join(target, name);
    const wanted = path.join(dataLink, name);
    if ((await readlink(link).catch(() => undefined)) === wanted) continue;
    await rm(link, { force: true, recursive: true });
    await symlink(wanted, link);
    await lchown(link, 0, 0).catch(() => undefined);
  }
}

async function removeStale(target: string, payload: Payload): Promise<void> {
  const wanted = topNames(payload);
  const current = await readlink(path.join(target, dataLink));
  for (const name of await readdir(target)) {
    if (name === dataLink || name === current || wanted.has(name)) continue;
    const full = path.join(target, name);
    const stat = await lstat(full);
    if (stat.isSymbolicLink()) await unlink(full);
    else if (name.startsWith('..')) await rm(full, { recursive: true, force: true });
    else await rmdir(full).catch(() => undefined);
  }
}

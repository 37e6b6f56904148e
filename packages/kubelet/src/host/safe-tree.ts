import { constants } from 'node:fs';
import { chmod, chown, lchown, type FileHandle, open, readdir, readFile, realpath, rename, rmdir, unlink } from 'node:fs/promises';

/**
 * Walks through trees whose content somebody else may change meanwhile (pods write into their volumes). Directories are opened one below
 * the other and never through links, entries are named relative to the opened directory, and no mount point is entered: nothing that is
 * swapped on the way leads out.
 */

const openPath = 0o10000000; // O_PATH
const openDirectoryFlags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
/** Directories that are held open at once. */
const maxDepth = 100;
const parallel = 8;

const self = (handle: FileHandle): string => `/proc/self/fd/${handle.fd}`;
const entry = (directory: FileHandle, name: string): string => `${self(directory)}/${name}`;

async function mountOf(handle: FileHandle): Promise<string> {
  const info = await readFile(`/proc/self/fdinfo/${handle.fd}`, 'utf8');
  const id = /^mnt_id:\s*(\d+)$/m.exec(info)?.[1];
  if (id === undefined) throw new Error('the kernel does not tell which mount a file is on');
  return id;
}

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT';

/** Removes what `name` is in a directory, with all below it. Throws when something is mounted in there; what is gone already is fine. */
export async function removeTree(parent: string, name: string): Promise<void> {
  if (name === '' || name === '.' || name === '..' || name.includes('/')) throw new Error(`"${name}" is no name of a file`);
  await using directory = await open(parent, openDirectoryFlags);
  const mount = await mountOf(directory);
  await removeEntry(directory, name, { mount, top: directory, depth: 0, serial: { next: 0 } });
}

interface Removal {
  readonly mount: string;
  /** Directories that lie too deep are moved here first. */
  readonly top: FileHandle;
  readonly depth: number;
  readonly serial: { next: number };
}

async function removeEntry(directory: FileHandle, name: string, o: Removal): Promise<void> {
  const target = entry(directory, name);
  try {
    await unlink(target);
    return;
  } catch (error) {
    if (isMissing(error)) return;
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EISDIR' && code !== 'EPERM') throw error;
  }
  if (o.depth >= maxDepth) {
    const moved = `.deep-${process.pid}-${o.serial.next++}`;
    await rename(target, entry(o.top, moved));
    return await removeEntry(o.top, moved, { ...o, depth: 0 });
  }
  const opened = await open(target, openDirectoryFlags).catch((error: unknown) => {
    if (isMissing(error)) return undefined;
    throw error;
  });
  if (opened === undefined) return;
  try {
    if ((await mountOf(opened)) !== o.mount) throw new Error(`"${name}" is a mount point; it is left alone`);
    const entries = await readdir(self(opened), { withFileTypes: true });
    const inner = { ...o, depth: o.depth + 1 };
    const files = entries.filter((e) => !e.isDirectory());
    for (let i = 0; i < files.length; i += parallel)
      await Promise.all(files.slice(i, i + parallel).map((e) => removeEntry(opened, e.name, inner)));
    for (const e of entries) if (e.isDirectory()) await removeEntry(opened, e.name, inner);
  } finally {
    await opened.close();
  }
  await rmdir(target).catch((error: unknown) => {
    if (!isMissing(error)) throw error;
  });
}

async function openDirectoryInside(root: string, parts: readonly string[], name: string): Promise<FileHandle> {
  let directory = await open(root, openDirectoryFlags);
  for (const part of parts) {
    const next = await open(entry(directory, part), openDirectoryFlags).catch(async (error: unknown) => {
      await directory.close();
      if (['ENOTDIR', 'ELOOP'].includes((error as NodeJS.ErrnoException).code ?? ''))
        throw new Error(`"${part}" on the way to file "${name}" is not a directory`, { cause: error });
      throw error;
    });
    await directory.close();
    directory = next;
  }
  return directory;
}

/** Something below `root` that is open for reading; `directory`: the names in it. */
export type OpenedInside =
  | { readonly directory: readonly { readonly name: string; readonly isDirectory: boolean }[] }
  | { readonly file: FileHandle; readonly size: number };

/**
 * A regular file or a directory below `root`; undefined when there is none, and for what only a link leads to. `root` may be one. The
 * caller closes the file.
 */
export async function openInside(root: string, name: string): Promise<OpenedInside | undefined> {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..') || name.includes('\0')) return undefined;
  const last = parts.pop();
  let directory: FileHandle;
  try {
    directory = await openDirectoryInside(await realpath(root), parts, name);
  } catch {
    return undefined; // it is not there, or not reached without a link
  }
  try {
    await using found = await open(
      last === undefined ? self(directory) : entry(directory, last),
      openPath | (last === undefined ? 0 : constants.O_NOFOLLOW),
    );
    const stat = await found.stat();
    if (stat.isDirectory()) {
      const names = await readdir(self(found), { withFileTypes: true });
      return { directory: names.map((n) => ({ name: n.name, isDirectory: n.isDirectory() })) };
    }
    if (!stat.isFile()) return undefined;
    return { file: await open(self(found), constants.O_RDONLY | constants.O_NONBLOCK), size: stat.size };
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  } finally {
    await directory.close();
  }
}

/**
 * The text of a regular file below `root`. Throws when a link or anything else but directories is on the way to it, when it is no
 * regular file, and when it has more than `maxBytes`; nothing else is ever opened for reading.
 */
export async function readFileInside(root: string, name: string, maxBytes: number): Promise<string> {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  const file = parts.pop();
  if (file === undefined || file === '..' || parts.includes('..')) throw new Error(`"${name}" is no name of a file in the volume`);
  const directory = await openDirectoryInside(root, parts, name);
  try {
    await using found = await open(entry(directory, file), openPath | constants.O_NOFOLLOW);
    const stat = await found.stat();
    if (!stat.isFile()) throw new Error(`"${name}" is not a regular file`);
    const tooLarge = `file "${name}" has more than ${maxBytes} bytes`;
    if (stat.size > maxBytes) throw new Error(tooLarge);
    // The descriptor is the file itself, whatever its name leads to by now.
    await using opened = await open(self(found), constants.O_RDONLY | constants.O_NONBLOCK);
    const buffer = Buffer.alloc(maxBytes + 1);
    let length = 0;
    while (length < buffer.length) {
      const { bytesRead } = await opened.read(buffer, length, buffer.length - length, length);
      if (bytesRead === 0) return buffer.toString('utf8', 0, length);
      length += bytesRead;
    }
    throw new Error(tooLarge);
  } finally {
    await directory.close();
  }
}

export interface GroupOwnership {
  readonly gid: number;
  readonly readOnly: boolean;
}

const fileBits = (o: GroupOwnership): number => (o.readOnly ? 0o440 : 0o660);
const directoryBits = (o: GroupOwnership): number => (o.readOnly ? 0o440 : 0o660) | 0o2110;

/** Whether the directory itself is already as `giveToGroup` would make it (fsGroupChangePolicy OnRootMismatch). */
export async function belongsToGroup(path: string, o: GroupOwnership): Promise<boolean> {
  await using directory = await open(path, openDirectoryFlags);
  const { gid, mode } = await directory.stat();
  return gid === o.gid && (mode & directoryBits(o)) === directoryBits(o);
}

/** Gives a directory and all in it to a group that may read it, and write it unless `readOnly` (fsGroup). New files inherit the group. */
export async function giveToGroup(path: string, o: GroupOwnership): Promise<void> {
  await using directory = await open(path, openDirectoryFlags);
  await giveDirectory(directory, o, { mount: await mountOf(directory), depth: 0 });
}

async function giveDirectory(directory: FileHandle, o: GroupOwnership, walk: { mount: string; depth: number }): Promise<void> {
  if (walk.depth > maxDepth * 4) throw new Error('the volume has directories that lie too deep to be given to fsGroup');
  const names = await readdir(self(directory), { withFileTypes: true });
  const folders = names.filter((n) => n.isDirectory()).map((n) => n.name);
  const rest = names.filter((n) => !n.isDirectory()).map((n) => n.name);
  for (let i = 0; i < rest.length; i += parallel) await Promise.all(rest.slice(i, i + parallel).map((n) => giveEntry(directory, n, o)));
  for (const name of folders) {
    const child = await open(entry(directory, name), openDirectoryFlags).catch((error: unknown) => {
      // Gone, or something else by now.
      if (isMissing(error) || ['ENOTDIR', 'ELOOP'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
      throw error;
    });
    if (child === undefined) continue;
    try {
      if ((await mountOf(child)) === walk.mount) await giveDirectory(child, o, { ...walk, depth: walk.depth + 1 });
    } finally {
      await child.close();
    }
  }
  // The directory comes last: when it is right, all in it is.
  const { gid, mode } = await directory.stat();
  if (gid !== o.gid) await directory.chown(-1, o.gid);
  const wanted = (mode & 0o7777) | directoryBits(o);
  if ((mode & 0o7777) !== wanted || gid !== o.gid) await directory.chmod(wanted);
}

async function giveEntry(directory: FileHandle, name: string, o: GroupOwnership): Promise<void> {
  const target = entry(directory, name);
  const handle = await open(target, openPath | constants.O_NOFOLLOW).catch((error: unknown) => {
    if (isMissing(error)) return undefined;
    throw error;
  });
  if (handle === undefined) return;
  try {
    const stat = await handle.stat();
    if (stat.isSymbolicLink()) {
      if (stat.gid !== o.gid) await lchown(target, -1, o.gid);
      return;
    }
    if (stat.isDirectory()) return;
    // The descriptor is the file itself, whatever its name leads to by now.
    if (stat.gid !== o.gid) await chown(self(handle), -1, o.gid);
    const wanted = (stat.mode & 0o7777) | fileBits(o);
    if ((stat.mode & 0o7777) !== wanted || stat.gid !== o.gid) await chmod(self(handle), wanted);
  } finally {
    await handle.close();
  }
}

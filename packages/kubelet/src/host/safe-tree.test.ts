import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCommand } from './run-command.ts';
import { belongsToGroup, giveToGroup, openInside, readFileInside, removeTree } from './safe-tree.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(path.join(os.tmpdir(), 'tree-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

describe('removeTree', () => {
  it('removes files, links and directories however deep, and nothing that links lead to', async () => {
    mkdirSync(path.join(root, 'outside'));
    writeFileSync(path.join(root, 'outside/kept'), 'x');
    mkdirSync(path.join(root, 'volumes/v/a/b'), { recursive: true });
    writeFileSync(path.join(root, 'volumes/v/a/file'), 'x');
    symlinkSync(path.join(root, 'outside'), path.join(root, 'volumes/v/a/b/escape'));
    symlinkSync('../../../outside', path.join(root, 'volumes/v/relative'));
    // Deeper than directories are held open.
    mkdirSync(path.join(root, 'volumes/v', ...Array.from({ length: 250 }, () => 'd')), { recursive: true });
    await removeTree(path.join(root, 'volumes'), 'v');
    expect(readdirSync(path.join(root, 'volumes'))).toEqual([]);
    expect(readdirSync(path.join(root, 'outside'))).toEqual(['kept']);
  });
  it('removes a link in the place of the directory, not its target', async () => {
    mkdirSync(path.join(root, 'outside'));
    writeFileSync(path.join(root, 'outside/kept'), 'x');
    mkdirSync(path.join(root, 'volumes'));
    symlinkSync(path.join(root, 'outside'), path.join(root, 'volumes/v'));
    await removeTree(path.join(root, 'volumes'), 'v');
    expect(existsSync(path.join(root, 'outside/kept'))).toBe(true);
    expect(() => lstatSync(path.join(root, 'volumes/v'))).toThrow('ENOENT');
    await expect(removeTree(path.join(root, 'volumes'), 'v')).resolves.toBeUndefined();
  });
  it.each(['..', '.', '', 'a/b', '/etc'])('refuses the name %j', async (name) => {
    await expect(removeTree(root, name)).rejects.toThrow('is no name of a file');
  });
  it('does not enter a parent that is a link', async () => {
    symlinkSync('/', path.join(root, 'link'));
    await expect(removeTree(path.join(root, 'link'), 'tmp')).rejects.toThrow(/ENOTDIR|ELOOP/);
  });
});

it('openInside finds what is below a root that is a link, and follows none in there', async () => {
  mkdirSync(path.join(root, 'data/log'), { recursive: true });
  writeFileSync(path.join(root, 'data/log/a'), 'x');
  symlinkSync('..', path.join(root, 'data/log/up'));
  symlinkSync('data/log', path.join(root, 'log'));
  const link = path.join(root, 'log');
  const opened = await openInside(link, 'a');
  expect(opened).toMatchObject({ size: 1 });
  if (opened !== undefined && 'file' in opened) await opened.file.close();
  expect(await openInside(link, '')).toMatchObject({ directory: [{ name: 'a' }, { name: 'up' }] });
  expect(await openInside(link, 'up/log')).toBeUndefined();
  expect(await openInside(path.join(root, 'none'), 'a')).toBeUndefined();
});

describe.skipIf(process.getuid?.() !== 0)('giveToGroup (as root)', () => {
  it('gives files and directories to the group, leaves the rest of their modes, and does not follow links', async () => {
    const volume = path.join(root, 'volume');
    mkdirSync(path.join(volume, 'dir'), { recursive: true, mode: 0o700 });
    writeFileSync(path.join(volume, 'dir/script'), 'x', { mode: 0o700 });
    writeFileSync(path.join(root, 'secret'), 'x', { mode: 0o600 });
    symlinkSync(path.join(root, 'secret'), path.join(volume, 'link'));
    expect(await belongsToGroup(volume, { gid: 4321, readOnly: false })).toBe(false);
    await giveToGroup(volume, { gid: 4321, readOnly: false });
    expect(await belongsToGroup(volume, { gid: 4321, readOnly: false })).toBe(true);
    const script = statSync(path.join(volume, 'dir/script'));
    expect([script.gid, script.mode & 0o7777]).toEqual([4321, 0o760]);
    expect(statSync(path.join(volume, 'dir')).mode & 0o7777).toBe(0o2770);
    expect(lstatSync(path.join(volume, 'link')).gid).toBe(4321);
    const secret = statSync(path.join(root, 'secret'));
    expect([secret.gid, secret.mode & 0o777]).toEqual([0, 0o600]);
  });
  it('stops at mount points, and removal refuses them', async () => {
    const volume = path.join(root, 'volume');
    mkdirSync(path.join(volume, 'mounted'), { recursive: true });
    mkdirSync(path.join(root, 'other'));
    writeFileSync(path.join(root, 'other/kept'), 'x', { mode: 0o600 });
    linkSync(path.join(root, 'other/kept'), path.join(root, 'other/kept2'));
    // A bind mount of the same file system: devices don't tell.
    await runCommand('mount', ['--bind', path.join(root, 'other'), path.join(volume, 'mounted')]);
    try {
      await giveToGroup(volume, { gid: 4321, readOnly: false });
      expect(statSync(path.join(root, 'other/kept')).gid).toBe(0);
      await expect(removeTree(root, 'volume')).rejects.toThrow('is a mount point');
      expect(existsSync(path.join(root, 'other/kept'))).toBe(true);
    } finally {
      await runCommand('umount', [path.join(volume, 'mounted')]);
    }
  });
});

describe('readFileInside', () => {
  const volume = (): string => path.join(root, 'volume');
  beforeEach(() => {
    mkdirSync(path.join(root, 'outside'));
    writeFileSync(path.join(root, 'outside/secret'), 'KEY=secret');
    mkdirSync(path.join(root, 'volume/a/b'), { recursive: true });
    writeFileSync(path.join(root, 'volume/a/b/file'), 'KEY=value');
  });
  it('reads a file below the volume', async () => {
    expect(await readFileInside(volume(), 'a/b/file', 100)).toBe('KEY=value');
    expect(await readFileInside(volume(), './a//b/file', 9)).toBe('KEY=value');
    await expect(readFileInside(volume(), 'a/gone', 100)).rejects.toMatchObject({ code: 'ENOENT' });
  });
  it('follows no link, be it the file or a directory on the way, and does not go up', async () => {
    symlinkSync(path.join(root, 'outside/secret'), path.join(root, 'volume/link'));
    symlinkSync('../outside', path.join(root, 'volume/folder'));
    await expect(readFileInside(volume(), 'link', 100)).rejects.toThrow('not a regular file');
    await expect(readFileInside(volume(), 'folder/secret', 100)).rejects.toThrow(
      '"folder" on the way to file "folder/secret" is not a directory',
    );
    await expect(readFileInside(volume(), 'a/../../outside/secret', 100)).rejects.toThrow('no name of a file');
    await expect(readFileInside(volume(), '..', 100)).rejects.toThrow('no name of a file');
  });
  it('opens neither a pipe nor a directory, and reads no more than it may', async () => {
    await runCommand('mkfifo', [path.join(root, 'volume/pipe')]);
    await expect(readFileInside(volume(), 'pipe', 100)).rejects.toThrow('not a regular file');
    await expect(readFileInside(volume(), 'a/b', 100)).rejects.toThrow('not a regular file');
    await expect(readFileInside(volume(), 'a/b/file', 8)).rejects.toThrow('more than 8 bytes');
  });
});

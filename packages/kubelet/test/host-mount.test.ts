import { mkdirSync, mkdtempSync, readFileSync, realpathSync, statSync, symlinkSync, writeFileSync, existsSync, chmodSync } from 'node:fs';
import { spawn } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createHostMount, type HostMount, parsePropagation } from '../src/host/host-mount.ts';
import { runCommand } from '../src/host/run-command.ts';

const root = process.getuid?.() === 0;
if (!root) console.warn('SKIPPED: mounts need root');

describe.skipIf(!root)('host mounts', () => {
  let mount: HostMount;
  const base = realpathSync(mkdtempSync(path.join(os.tmpdir(), 'mounts-')));
  const volume = path.join(base, 'volume');
  const outside = path.join(base, 'outside');
  let n = 0;
  const bind = async (subPath: string): Promise<string> => {
    const target = path.join(base, 'targets', String(n++));
    await mount.bindSubPath({ volume, subPath, target });
    return target;
  };
  beforeAll(async () => {
    mount = await createHostMount(runCommand, async () => undefined);
    mkdirSync(path.join(volume, 'dir'), { recursive: true });
    chmodSync(volume, 0o750);
    mkdirSync(path.join(volume, '..v1'));
    mkdirSync(outside);
    chmodSync(outside, 0o755);
    writeFileSync(path.join(outside, 'secret'), 'secret');
    writeFileSync(path.join(volume, '..v1', 'key'), 'one');
    symlinkSync('..v1', path.join(volume, '..data'));
    symlinkSync('..data/key', path.join(volume, 'key'));
    symlinkSync(outside, path.join(volume, 'escape'));
    symlinkSync('../outside/secret', path.join(volume, 'stolen'));
    symlinkSync('/etc/passwd', path.join(volume, 'absolute'));
  });
  afterAll(async () => {
    for (const target of await mount.mountsBelow(base)) await mount.unmount(target);
  });

  it('binds directories and files of a volume, through links that stay inside', async () => {
    writeFileSync(path.join(volume, 'dir', 'f'), 'in dir');
    expect(readFileSync(path.join(await bind('dir'), 'f'), 'utf8')).toBe('in dir');
    expect(readFileSync(await bind('dir/f'), 'utf8')).toBe('in dir');
    expect(readFileSync(await bind('key'), 'utf8')).toBe('one');
  });

  it('makes what is missing, with the volume’s own mode', async () => {
    const target = await bind('new/deep');
    expect(statSync(path.join(volume, 'new/deep')).mode & 0o777).toBe(0o750);
    writeFileSync(path.join(target, 'x'), '1');
    expect(existsSync(path.join(volume, 'new/deep/x'))).toBe(true);
  });

  it.each(['escape', 'escape/secret', 'stolen', 'absolute', 'escape/new'])('refuses %s, which leads out', async (subPath) => {
    await expect(bind(subPath)).rejects.toThrow(/leads out|exit code/);
    expect(existsSync(path.join(outside, 'new'))).toBe(false);
  });

  it('does not lead out while somebody swaps directories for links', async () => {
    const inside = path.join(volume, 'swapped');
    mkdirSync(inside);
    writeFileSync(path.join(inside, 'mark'), 'inside');
    mkdirSync(path.join(outside, 'mark'), { mode: 0o700 });
    // What a container with the volume can do, as fast as it can.
    const attack = spawn(
      'sh',
      ['-c', 'cd "$1"; while :; do mv -T swapped aside; ln -s "$2" swapped; rm swapped; mv -T aside swapped; done', 'sh', volume, outside],
      { stdio: 'ignore' },
    );
    let bound = 0;
    try {
      for (let i = 0; i < 60; i++) {
        const target = await bind(i % 2 === 0 ? 'swapped' : 'swapped/made/deep').catch(() => undefined);
        if (target === undefined) continue;
        bound++;
        const found = await runCommand('findmnt', ['-n', '-o', 'FSROOT', target]);
        expect(found).not.toContain('outside');
        expect(existsSync(path.join(target, 'secret'))).toBe(false);
        await mount.unmount(target);
      }
    } finally {
      attack.kill('SIGKILL');
      await new Promise((resolve) => attack.once('close', resolve));
    }
    expect(existsSync(path.join(outside, 'made'))).toBe(false);
    expect(statSync(outside).mode & 0o777).toBe(0o755);
    console.log(`figure: ${bound} of 60 subPaths bound under attack, none outside`);
  });

  it('binds read-only, and formats only what is empty', async () => {
    const source = path.join(base, 'source');
    const target = path.join(base, 'read-only');
    mkdirSync(source);
    mkdirSync(target);
    await mount.bind(source, target, ['ro', 'noexec']);
    expect(() => writeFileSync(path.join(target, 'x'), '1')).toThrow('EROFS');
    writeFileSync(path.join(source, 'x'), '1');
    await mount.unmount(target);
    const disk = path.join(base, 'disk');
    writeFileSync(disk, Buffer.alloc(4096, 'not a file system, and not empty: '));
    await expect(mount.formatAndMount({ device: disk, target, fsType: 'ext4; reboot', options: [] })).rejects.toThrow('is no file system');
  });

  it('knows how mounts spread', () => {
    const info = [
      '20 1 8:1 / / rw - ext4 /dev/a rw',
      '21 20 8:2 / /var/lib rw shared:3 - ext4 /dev/b rw',
      '22 21 8:3 / /var/lib/x rw master:3 - ext4 /dev/c rw',
    ];
    const of = (p: string): string => parsePropagation(info.join('\n'), p);
    expect([of('/etc'), of('/var/lib'), of('/var/lib/y'), of('/var/library'), of('/var/lib/x/z')]).toEqual([
      'private',
      'shared',
      'shared',
      'private',
      'slave',
    ]);
  });

  it('mounts a tmpfs and takes it away, twice if asked', async () => {
    const target = path.join(base, 'memory');
    mkdirSync(target);
    await mount.tmpfs(target, { mode: '0777', sizeBytes: 1024 * 1024 });
    expect(await mount.mountsBelow(target)).toEqual([target]);
    expect(statSync(target).mode & 0o777).toBe(0o777);
    await mount.unmount(target);
    await mount.unmount(target);
    expect(await mount.mountsBelow(target)).toEqual([]);
  });

  it('knows what a path is', async () => {
    expect(await mount.typeOf(volume)).toBe('directory');
    expect(await mount.typeOf('/dev/null')).toBe('char');
    expect(await mount.typeOf(path.join(base, 'none'))).toBeUndefined();
  });
});

describe.skipIf(!root)('host mounts with an engine in another mount namespace', () => {
  it('are made there, and reached from here', async () => {
    const base = realpathSync(mkdtempSync(path.join(os.tmpdir(), 'mounts-')));
    const engine = spawn('unshare', ['-m', '--propagation', 'private', 'sh', '-c', 'echo up; exec sleep 1000'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await new Promise((resolve) => engine.stdout?.once('data', resolve));
    try {
      const mount = await createHostMount(runCommand, async () => engine.pid);
      const memory = path.join(base, 'memory');
      mkdirSync(mount.local(memory));
      await mount.tmpfs(memory, { mode: '0755' });
      writeFileSync(path.join(mount.local(memory), 'token'), 'secret');
      // Here it is an empty directory of the disk.
      expect(existsSync(path.join(memory, 'token'))).toBe(false);
      expect(await mount.mountsBelow(base)).toEqual([memory]);
      const target = path.join(base, 'target');
      await mount.bindSubPath({ volume: memory, subPath: 'token', target });
      expect(readFileSync(mount.local(target), 'utf8')).toBe('secret');
      await mount.unmount(target);
      await mount.unmount(memory);
      expect(await mount.mountsBelow(base)).toEqual([]);
    } finally {
      engine.kill('SIGKILL');
    }
  });
});

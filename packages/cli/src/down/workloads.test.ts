import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { mountinfoOf, mountsBelow, removeFolder, untilGone } from './workloads.ts';

const mountinfo = `22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
40 22 0:50 / /var/lib/skiff/kubelet/pods/a/volumes/x rw - tmpfs tmpfs rw
41 40 0:51 / /var/lib/skiff/kubelet/pods/a/volumes/x/deep\\040er rw - tmpfs tmpfs rw
42 22 0:52 / /var/lib/skiffer rw - tmpfs tmpfs rw
`;

it('lists what is mounted below a folder, deepest first, and nothing beside it', () => {
  expect(mountsBelow('/var/lib/skiff', mountinfo)).toEqual([
    '/var/lib/skiff/kubelet/pods/a/volumes/x/deep er',
    '/var/lib/skiff/kubelet/pods/a/volumes/x',
  ]);
});

it('a process that has ended holds no mounts', () => {
  const { pid } = spawnSync('true');
  expect([mountinfoOf(String(pid)), mountinfoOf('self') === '']).toEqual(['', false]);
});

it('a folder behind a symbolic link: mounts are found where they are, and the link stays', () => {
  const place = realpathSync(mkdtempSync(join(os.tmpdir(), 'workloads-')));
  try {
    const [real, link] = [join(place, 'real'), join(place, 'link')];
    mkdirSync(real);
    symlinkSync(real, link);
    expect(mountsBelow(link, `40 22 0:50 / ${real}/pods/a/volumes/x rw - nfs4 server:/x rw\n`)).toEqual([`${real}/pods/a/volumes/x`]);
    writeFileSync(join(real, 'file'), '');
    removeFolder(link);
    expect([existsSync(link), readdirSync(real)]).toEqual([true, []]);
    removeFolder(real);
    expect(existsSync(real)).toBe(false);
  } finally {
    rmSync(place, { recursive: true });
  }
});

it('a container that is being removed already is waited for', async () => {
  const engine = (...codes: readonly number[]): { asked: () => number; remove: () => Promise<void> } => {
    let asked = 0;
    return {
      asked: () => asked,
      remove: () => Promise.reject(Object.assign(new Error('refused'), { statusCode: codes[Math.min(asked++, codes.length - 1)] })),
    };
  };
  const going = engine(409, 409, 404);
  expect(await untilGone(going.remove)).toBe(true);
  expect(going.asked()).toBe(3);
  await expect(untilGone(engine(500).remove)).rejects.toThrow('refused');
  // One that the engine is stuck with doesn't keep the rest of the host from being cleaned.
  expect(await untilGone(engine(409).remove, 150)).toBe(false);
});

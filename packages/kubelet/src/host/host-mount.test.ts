import { expect, it } from 'vitest';
import { createHostMount, parseMountsBelow } from './host-mount.ts';

it('leaves no bind that could not get its flags', async () => {
  const calls: string[] = [];
  const hostMount = await createHostMount(
    async (command, args) => {
      calls.push([command, ...args].join(' '));
      if (args.some((a) => a.startsWith('remount'))) throw new Error('mount: bad option');
      return '';
    },
    async () => undefined,
  );
  await expect(hostMount.bind('/source', '/target', ['nosuid', 'what'])).rejects.toThrow('bad option');
  expect(calls).toEqual([
    'mount --bind -- /source /target',
    'mount -o remount,bind,nosuid,what -- /target',
    'umount --no-canonicalize -- /target',
  ]);
});

it('finds mounts at or below a directory, the deepest first, however their paths are written', () => {
  const line = (id: number, target: string): string => `${id} 29 0:26 / ${target} rw,relatime shared:7 - tmpfs tmpfs rw`;
  const mountinfo = ['/', '/pods/u1/a', '/pods/u1', '/pods/u1/a/b', '/pods/u10/a', '/my\\040pods/u1/a\\134b', '/other/pods/u1']
    .map((target, i) => line(40 + i, target))
    .join('\n');
  expect(parseMountsBelow(mountinfo, '/pods/u1')).toEqual(['/pods/u1/a/b', '/pods/u1/a', '/pods/u1']);
  expect(parseMountsBelow(mountinfo, '/pods/u2')).toEqual([]);
  expect(parseMountsBelow(mountinfo, '/my pods/u1')).toEqual(['/my pods/u1/a\\b']);
});

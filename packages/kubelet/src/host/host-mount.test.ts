import { expect, it } from 'vitest';
import { createHostMount } from './host-mount.ts';

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

import { describe, expect, it } from 'vitest';
import { createHostMount } from '../host/host-mount.ts';
import { mountNfs } from './nfs-mount.ts';

/** The programs that were run for one source. */
async function mountOf(server: string): Promise<readonly (readonly string[])[]> {
  const calls: (readonly string[])[] = [];
  const hostMount = await createHostMount(
    async (command, args) => {
      calls.push([command, ...args]);
      return 'file';
    },
    async () => undefined,
  );
  await mountNfs({ server, path: '/export' }, { target: '/nowhere/target', readOnly: true, mountOptions: ['hard'], hostMount });
  return calls.filter(([command]) => command === 'mount');
}

describe('nfs volumes', () => {
  it.each([
    ['nfs-1.example.com', 'nfs-1.example.com'],
    ['10.0.0.1', '10.0.0.1'],
    ['fd00::1', '[fd00::1]'],
    ['[fe80::1%eth0]', '[fe80::1%eth0]'],
  ])('are mounted from %s', async (server, written) => {
    expect(await mountOf(server)).toEqual([['mount', '-t', 'nfs', '-o', 'ro,hard', '--', `${written}:/export`, '/nowhere/target']]);
  });
  it.each(['-T/proc/1/root/etc/fstab', '--bind', '', 'a b', '-T/x:', '../x'])('are refused from %j, which is no server', async (server) => {
    await expect(mountOf(server)).rejects.toThrow('is neither a host name nor an IP address');
  });
});

import { execFile } from 'node:child_process';
import { access, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cniPlacesOf, defaultCniPlaces, installCniPlugin, removeCniPlugin, withSandboxAddress } from './cni-plugin.ts';

const run = promisify(execFile);

describe('the CNI plugin of a remote runtime', () => {
  let root = '';
  beforeEach(async () => {
    root = await mkdtemp(path.join(os.tmpdir(), 'skiff-cni-'));
  });
  afterEach(() => rm(root, { recursive: true }));
  const places = () => ({ binDirectory: path.join(root, 'bin'), confDirectory: path.join(root, 'conf') });
  const addresses = () => path.join(root, 'addresses');
  const add = async (uid: string, name = 'eth0'): Promise<{ ips?: { address: string }[]; code?: number }> => {
    const env = { CNI_COMMAND: 'ADD', CNI_IFNAME: name, CNI_NETNS: '/n', CNI_ARGS: `IgnoreUnknown=1;K8S_POD_UID=${uid};K8S_POD_NAME=a` };
    const running = run(path.join(root, 'bin/skiff'), [], { env });
    running.child.stdin?.end('{"name":"skiff"}');
    const { stdout } = await running.catch((error: { stdout: string }) => error);
    return JSON.parse(stdout) as { ips?: { address: string }[]; code?: number };
  };

  it('tells the address of a sandbox that the kubelet makes, and refuses others', async () => {
    await installCniPlugin(places(), addresses());
    const o = { uid: 'uid-1', address: '10.1.2.3', directory: addresses() };
    const told = await withSandboxAddress(o, () => add('uid-1'));
    expect(told.ips?.[0]?.address).toBe('10.1.2.3/32');
    expect((await add('uid-1')).code).toBe(100);
    expect((await add('../../etc/hostname')).code).toBe(100);
    expect((await add('', 'lo')).ips?.[0]?.address).toBe('127.0.0.1/8');
  });

  it('leaves what others have installed, and goes without a trace', async () => {
    await installCniPlugin(places(), addresses());
    await writeFile(path.join(root, 'bin/loopback'), 'a program of somebody else');
    await writeFile(path.join(root, 'conf/10-other.conflist'), '{}');
    await installCniPlugin(places(), addresses());
    await removeCniPlugin(places(), addresses());
    expect([...(await readdir(path.join(root, 'bin'))), ...(await readdir(path.join(root, 'conf')))]).toEqual([
      'loopback',
      '10-other.conflist',
    ]);
    await expect(access(addresses())).rejects.toThrow();
  });

  it('says which configuration is in the way', async () => {
    await installCniPlugin(places(), addresses());
    await writeFile(path.join(root, 'conf/00-flannel.conf'), '{}');
    await expect(installCniPlugin(places(), addresses())).rejects.toThrow('00-flannel.conf');
  });

  it.each([
    [undefined, defaultCniPlaces],
    ['{}', defaultCniPlaces],
    ['{"cni":{"binDir":"/usr/lib/cni","confDir":"/etc/cni"}}', { binDirectory: '/usr/lib/cni', confDirectory: '/etc/cni' }],
    ['{"cni":{"binDir":"","binDirs":["/a","/b"]}}', { binDirectory: '/a', confDirectory: '/etc/cni/net.d' }],
  ])('is looked for where the runtime says: %s', (configuration, expected) => {
    expect(cniPlacesOf(configuration)).toEqual(expected);
  });
});

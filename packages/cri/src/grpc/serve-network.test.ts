import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { silentLogger } from '@skiff/component-base';
import { createCniNetwork } from './serve-network.ts';

/** Notes how it was called; `third` fails when it adds. */
const plugin = `#!/bin/sh
name=\${0##*/}
read -r input
echo "$CNI_COMMAND $name $CNI_CONTAINERID $CNI_NETNS $CNI_IFNAME $CNI_ARGS $input" >>"\${0%/*}/../calls"
[ "$CNI_COMMAND" = ADD ] || exit 0
if [ "$name" = third ]; then echo '{"code":7,"msg":"no room","details":"all taken"}'; exit 1; fi
echo '{"cniVersion":"1.0.0","ips":[{"address":"10.9.0.4/24"},{"address":"fd00::4/64"}],"by":"'$name'"}'
`;
const never = new AbortController().signal;
const metadata = { name: 'web', namespace: 'shop', uid: 'uid-1', attempt: 0 };
const ports = [
  { protocol: 'UDP' as const, containerPort: 53, hostPort: 5353, hostIp: '127.0.0.1' },
  { protocol: 'TCP' as const, containerPort: 80, hostPort: 0, hostIp: '' },
];

describe('the network of served sandboxes', () => {
  let root = '';
  beforeEach(async () => {
    root = await mkdtemp(path.join(os.tmpdir(), 'skiff-cni-'));
    for (const name of ['bin', 'conf']) await mkdir(path.join(root, name));
    for (const name of ['first', 'second', 'third']) {
      await writeFile(path.join(root, 'bin', name), plugin);
      await chmod(path.join(root, 'bin', name), 0o755);
    }
  });
  afterEach(() => rm(root, { recursive: true }));
  const make = (deadlineMs = 30_000) =>
    createCniNetwork({
      log: silentLogger,
      deadlineMs,
      places: { binDirectory: path.join(root, 'bin'), confDirectory: path.join(root, 'conf') },
      stateDirectory: path.join(root, 'state'),
    });
  const configure = (...types: readonly string[]): Promise<void> =>
    writeFile(
      path.join(root, 'conf/10-net.conflist'),
      JSON.stringify({
        cniVersion: '1.0.0',
        name: 'net',
        plugins: types.map((type) => ({ type, ...(type === 'second' ? { capabilities: { portMappings: true } } : {}) })),
      }),
    );
  const calls = async (): Promise<string[][]> =>
    (await readFile(path.join(root, 'calls'), 'utf8'))
      .trim()
      .split('\n')
      .map((line) => line.split(' '));
  const inputOf = (call: readonly string[] | undefined) => JSON.parse(call?.at(-1) ?? '{}') as Record<string, unknown>;

  it('calls the plugins in order, and backwards at the end', async () => {
    await configure('first', 'second');
    const network = make();
    expect(await network.status()).toEqual({ ready: true, message: '' });
    expect(await network.attach({ id: 'abc', pid: 77, metadata, ports, signal: never })).toEqual(['10.9.0.4', 'fd00::4']);
    // Another server takes over; the configuration is another by then.
    await rm(path.join(root, 'conf/10-net.conflist'));
    expect(await make().addresses('abc')).toEqual(['10.9.0.4', 'fd00::4']);
    await make().detach('abc', undefined);
    await make().detach('abc', undefined);
    expect(await network.addresses('abc')).toEqual([]);

    const all = await calls();
    expect(all.map(([command, name]) => `${command} ${name}`)).toEqual(['ADD first', 'ADD second', 'DEL second', 'DEL first']);
    expect(all[0]?.slice(2, 5)).toEqual(['abc', '/proc/77/ns/net', 'eth0']);
    expect(all[0]?.[5]).toBe('IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web;K8S_POD_INFRA_CONTAINER_ID=abc;K8S_POD_UID=uid-1');
    expect(inputOf(all[0])).toEqual({ type: 'first', name: 'net', cniVersion: '1.0.0' });
    expect(inputOf(all[1])).toMatchObject({
      prevResult: { by: 'first' },
      runtimeConfig: { portMappings: [{ hostPort: 5353, containerPort: 53, protocol: 'udp', hostIP: '127.0.0.1' }] },
    });
    expect(inputOf(all[2])).toMatchObject({ prevResult: { by: 'second' } });
  });

  it('leaves nothing of a sandbox that a plugin refuses', async () => {
    await configure('first', 'third');
    const network = make();
    await expect(network.attach({ id: 'abc', pid: 77, metadata, ports, signal: never })).rejects.toMatchObject({
      kind: 'start',
      message: "failed to set up the sandbox's network: CNI plugin third failed: no room; all taken",
    });
    expect((await calls()).map(([command, name]) => `${command} ${name}`)).toEqual(['ADD first', 'ADD third', 'DEL third', 'DEL first']);
    expect(await readdir(path.join(root, 'state'))).toEqual([]);
  });

  it('ends a plugin that hangs, with what it has started', async () => {
    const eventually = { timeout: 20_000 };
    const hangs = '#!/bin/sh\n[ "$CNI_COMMAND" = ADD ] || exit 0\nsleep 1000 &\necho $! >"${0%/*}/../child"\nwait\n';
    await writeFile(path.join(root, 'bin/first'), hangs);
    await configure('first');
    const child = (): Promise<string> => readFile(path.join(root, 'child'), 'utf8');
    const gone = async (): Promise<void> => {
      const stat = await readFile(`/proc/${(await child()).trim()}/stat`, 'utf8').catch(() => ') Z');
      expect(stat).toMatch(/\) Z/);
    };
    const late = make(2000).attach({ id: 'abc', pid: 77, metadata, ports, signal: never });
    await expect(late).rejects.toMatchObject({ kind: 'start', message: expect.stringMatching(/first did not end within 2 s/) as string });
    await vi.waitFor(gone, eventually);
    await rm(path.join(root, 'child'));

    const client = new AbortController();
    const given = make().attach({ id: 'abc', pid: 77, metadata, ports, signal: client.signal });
    given.catch(() => undefined);
    await vi.waitFor(async () => expect(await child()).toMatch(/\d\n/), eventually);
    client.abort(new Error('the client gave up'));
    await expect(given).rejects.toMatchObject({ kind: 'start', message: expect.stringMatching(/the client gave up/) as string });
    await vi.waitFor(gone, eventually);
    expect(await readdir(path.join(root, 'state'))).toEqual([]);
  });

  it('forgets a sandbox whose record is cut off', async () => {
    await mkdir(path.join(root, 'state'));
    await writeFile(path.join(root, 'state/abc.json'), '{"list":');
    expect(await make().addresses('abc')).toEqual([]);
    await make().detach('abc', undefined);
    expect(await readdir(path.join(root, 'state'))).toEqual([]);
  });

  it('does not take a record that can not be read now for none', async () => {
    await mkdir(path.join(root, 'state/abc.json'), { recursive: true });
    await expect(make().detach('abc', undefined)).rejects.toThrow('EISDIR');
  });

  it.each([
    ['no configuration', undefined, /no CNI configuration/],
    ['nonsense', '{', /10-net.conflist/],
    ['a plugin from elsewhere', '{"name":"net","plugins":[{"type":"../x"}]}', /no name, or no plugins/],
    ['a plugin that is not there', '{"name":"net","type":"fourth"}', /ENOENT/],
  ])('is not ready with %s', async (_what, text, message) => {
    if (text !== undefined) await writeFile(path.join(root, 'conf/10-net.conflist'), text);
    expect(await make().status()).toMatchObject({ ready: false, message: expect.stringMatching(message) as string });
  });
});

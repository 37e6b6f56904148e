import { configMap, endpoints as endpointsResource, service, type Secret, secret, type Service } from '@skiff/api';
import type { Client } from '@skiff/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../e2e/support/cluster.ts';
import type { Host } from '../lab/host.ts';
import { startLab, type Lab } from '../lab/lab.ts';
import { clientOf, joinControlPlane, leaderOf, longestGap, membersOf, watchWrites, writeSteadily } from './support/control-plane.ts';
import { figure, seconds, timed } from './support/observe.ts';

const roles = ['kube-controller-manager', 'kube-scheduler'] as const;
const perSecond = 20;

describe('a control plane of three machines', () => {
  let lab: Lab;
  let hosts: readonly Host[] = [];
  const host = (i: number): Host => {
    const found = hosts[i];
    if (found === undefined) throw new Error('the lab did not start');
    return found;
  };
  const addresses = async (client: Client): Promise<string> => {
    const { subsets } = await client.get(endpointsResource, { namespace: 'default', name: 'kubernetes' });
    return (subsets ?? [])
      .flatMap((s) => s.addresses?.map((a) => a.ip) ?? [])
      .toSorted()
      .join(' ');
  };
  const addressesOf = (...of: readonly Host[]): string =>
    of
      .map((h) => h.address)
      .toSorted()
      .join(' ');
  const addressesBecome = (client: Client, of: readonly Host[]): Promise<unknown> =>
    eventually(
      `the apiservers are those of ${of.map((h) => h.name).join(', ')}`,
      async () => {
        const found = await addresses(client);
        if (found === addressesOf(...of)) return true;
        throw new Error(`the endpoints are ${found}, not ${addressesOf(...of)}`);
      },
      120_000,
    );
  const threeMembers = (): Promise<unknown> =>
    eventually(
      'three members that do their work',
      async () => {
        const states = await membersOf(host(1));
        if (states.size === 3 && [...states.values()].every((s) => /^(leader|member),/.test(s))) return true;
        throw new Error([...states].map((s) => s.join(': ')).join('\n'));
      },
      120_000,
    );

  beforeAll(async () => {
    lab = await startLab({ name: 'controlplane', hosts: 3 });
    hosts = lab.hosts;
    await host(0).ok('skiff', ['up', '--encrypt-secrets']);
    for (const h of hosts.slice(1)) figure(`join --control-plane of ${h.name}`, seconds(await joinControlPlane(host(0), h)));
  });
  afterAll(() => lab?.close());

  it('has a member of etcd and an apiserver on each, and one leader', async () => {
    const { client } = await clientOf([host(0)]);
    await threeMembers();
    await addressesBecome(client, hosts);
    for (const role of roles)
      await eventually(`${role} is led by the first`, async () => (await leaderOf(client, role)).holder === host(0).name);
    client.close();
  });

  it('has encrypted Secrets, and each apiserver reads what another one wrote', async () => {
    const clients = await Promise.all(hosts.map(async (h) => (await clientOf([h])).client));
    const data = { password: Buffer.from('canary of a secret').toString('base64') };
    await clients[1]?.create<Secret>(secret, { metadata: { name: 'sealed', namespace: 'default' }, data });
    for (const client of clients) expect((await client.get<Secret>(secret, { namespace: 'default', name: 'sealed' })).data).toEqual(data);
    for (const client of clients) client.close();
    // On the host's own disk.
    const sealed = '/var/lib/sealed.tar';
    await host(2).ok('skiff', ['backup', '--output', sealed]);
    const found = await host(2).run('grep', ['-ac', `${data.password}\\|canary of a secret`, sealed]);
    expect(found.stdout.trim()).toBe('0');
    expect((await host(2).ok('grep', ['-ac', 'k8s:enc:aesgcm:v1:key1:', sealed])).trim()).not.toBe('0');
  });

  it('gives no address and no node port out twice, whichever apiserver is asked', async () => {
    const clients = await Promise.all(hosts.map(async (h) => (await clientOf([h])).client));
    const made = await Promise.all(
      Array.from({ length: 60 }, (_, i) =>
        (clients[i % clients.length] as Client).create<Service>(service, {
          metadata: { name: `alloc-${i}`, namespace: 'default' },
          spec: { type: 'NodePort', ports: [{ port: 80 }] },
        }),
      ),
    );
    expect(new Set(made.map((s) => s.spec?.clusterIP)).size).toBe(made.length);
    expect(new Set(made.map((s) => s.spec?.ports?.[0]?.nodePort)).size).toBe(made.length);
    for (const s of made) await clients[0]?.delete(service, { namespace: 'default', name: s.metadata?.name ?? '' });
    for (const client of clients) client.close();
  });

  it(`loses one of them under ${perSecond} writes a second, and no acknowledged write; leaders change once`, async () => {
    // The one that leads all: its apiserver is also the one that writer and watcher use.
    const { client } = await clientOf(hosts);
    const { client: other } = await clientOf([host(1)]);
    const before = new Map(await Promise.all(roles.map(async (role) => [role, await leaderOf(other, role)] as const)));
    const writes = writeSteadily(client, perSecond, 'powercut');
    const watching = watchWrites(client);
    await eventually('writes', async () => writes.acknowledged.size > 3 * perSecond);

    await host(0).kill();
    const acknowledged = writes.acknowledged.size;
    figure(
      'power cut, first acknowledged write after',
      seconds(await timed('a write', async () => writes.acknowledged.size > acknowledged)),
    );
    const [gone, ...taken] = await Promise.all([
      timed('the dead apiserver leaves the endpoints', async () => (await addresses(other)) === addressesOf(host(1), host(2))),
      ...roles.map((role) => timed(`${role} goes on`, async () => (await leaderOf(other, role)).holder !== host(0).name)),
    ]);
    figure('power cut, apiserver gone from the endpoints after', seconds(gone));
    for (const [i, role] of roles.entries()) figure(`power cut, ${role} led by another after`, seconds(taken[i] ?? 0));
    const enough = writes.acknowledged.size + 3 * perSecond;
    await eventually('more writes', async () => writes.acknowledged.size > enough);
    await writes.stop();
    figure('longest time without an acknowledged write', seconds(longestGap(writes)));
    figure('writes acknowledged / without an answer or refused', `${writes.acknowledged.size} / ${writes.failures.length}`);

    // What was written without an answer may be there too.
    const stored = (await other.list(configMap, 'default', { labelSelector: 'story=writes' })).items.map((c) => c.metadata?.name ?? '');
    expect([...writes.acknowledged.keys()].filter((name) => !stored.includes(name))).toEqual([]);
    await eventually('the watcher has seen all', async () => stored.every((name) => watching.names.includes(name)));
    await watching.stop();
    expect(watching.complaints).toEqual([]);
    // What it has seen is there, and what is there it has seen.
    expect([...watching.names].toSorted()).toEqual(stored.toSorted());
    expect(watching.lists).toBe(1);
    for (const role of roles) expect((await leaderOf(other, role)).transitions).toBe((before.get(role)?.transitions ?? 0) + 1);
    client.close();
    other.close();
  });

  it('takes it back when it has power again', async () => {
    await host(0).start();
    await host(0).ok('skiff', ['up']);
    const { client } = await clientOf([host(0)]);
    await addressesBecome(client, hosts);
    await threeMembers();
    const holders = await Promise.all(roles.map(async (role) => (await leaderOf(client, role)).holder));
    expect(holders).not.toContain(host(0).name);
    client.close();
  });

  it('goes on with two while the third is cut off, which then takes no writes', async () => {
    // One that does not lead etcd: its loss is nobody's.
    const states = await membersOf(host(1));
    const cut = hosts.find((h) => states.get(h.name)?.startsWith('member') === true) ?? host(2);
    const rest = hosts.filter((h) => h !== cut);
    const { client } = await clientOf(rest);
    const write = ['create', 'configmap', 'from-the-minority', '--request-timeout=8s'];
    await lab.isolate(cut);
    const writes = writeSteadily(client, perSecond, 'partition');
    await addressesBecome(client, rest);
    const refused = await cut.run('kubectl', write);
    expect([refused.code === 0, refused.stdout]).toEqual([false, '']);
    await writes.stop();
    expect(writes.failures).toEqual([]);
    await lab.heal();
    figure(
      'partition healed, apiserver of the third back after',
      seconds(await timed('it is back', async () => (await addresses(client)) === addressesOf(...hosts))),
    );
    await threeMembers();
    // The third knows what it missed.
    const { client: third } = await clientOf([cut]);
    const names = (await third.list(configMap, 'default', { labelSelector: 'story=writes' })).items.map((c) => c.metadata?.name ?? '');
    expect([...writes.acknowledged.keys()].filter((name) => !names.includes(name))).toEqual([]);
    client.close();
    third.close();
  });

  it('gives one up for good and takes another in its place', async () => {
    await lab.heal();
    await host(2).kill();
    const { ms } = await host(0).runOk('skiff', ['members', 'remove', host(2).name]);
    figure('members remove of a dead one', seconds(ms));
    expect([...(await membersOf(host(0))).keys()].toSorted()).toEqual([host(0).name, host(1).name]);
    await host(2).start();
    await host(2).ok('skiff', ['down', '--wipe']);
    figure('joins again, with another member of etcd', seconds(await joinControlPlane(host(1), host(2))));
    await threeMembers();
    figure('leave', seconds((await host(2).runOk('skiff', ['leave'])).ms));
    expect([...(await membersOf(host(0))).keys()].toSorted()).toEqual([host(0).name, host(1).name]);
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { event, ipAddress, service as serviceResource } from '@skiff/api';
import { eventually } from '../e2e/support/cluster.ts';
import type { Host } from '../lab/host.ts';
import { firstWords } from '../lab/inside.ts';
import { startCluster, type HostsCluster } from './support/cluster.ts';
import { figure, readyPods, seconds, timed, untilRolledOut } from './support/observe.ts';
import { expectAll, failures, followLoad, parseTally, requestArguments, untilServed, type Tally } from './support/requests.ts';
import { daemonSet, deployment, service } from './support/workloads.ts';

/** One cluster that these stories take apart, in this order. */
describe('load balancers on three hosts', () => {
  let cluster: HostsCluster;
  let outside: Host;
  const excludeLabel = 'node.kubernetes.io/exclude-from-external-load-balancers';

  beforeAll(async () => {
    cluster = await startCluster({
      name: 'balancers',
      hosts: [{}, {}, {}, { name: 'outside', engine: 'none' }],
      up: ['--load-balancer-cidr=10.200.0.200-10.200.0.201'],
    });
    outside = cluster.lab.host('outside');
    await cluster.kubectl(`label node h1 ${excludeLabel}=`);
    await cluster.apply(
      daemonSet('web'),
      service('web', { type: 'LoadBalancer' }),
      service('near', { internalTrafficPolicy: 'Local', selector: { app: 'web' } }),
    );
    await untilRolledOut(cluster, 'daemonset/web');
  });
  afterAll(() => cluster?.close());

  const addressOf = (name: string): Promise<string> =>
    eventually(`the address of ${name}`, async () => {
      const { status } = await cluster.client.get(serviceResource, { namespace: 'default', name });
      return status?.loadBalancer?.ingress?.[0]?.ip;
    });
  const holderOf = async (address: string): Promise<string | undefined> => {
    const { metadata } = await cluster.client.get(ipAddress, { name: address });
    return metadata?.annotations?.['load-balancer.skiff.dev/announced-by'];
  };
  const ask = async (host: Host, count: number, url: string): Promise<Tally> =>
    parseTally(await host.ok('node', requestArguments({ count }, [url])));
  const served = (host: Host, url: string): Promise<true> => untilServed(host.name, (args) => host.ok('node', args), { urls: [url] });
  const podsOn = async (): Promise<ReadonlyMap<string, string>> => {
    const pods = await readyPods(cluster, 'web', cluster.nodes.length);
    return new Map(pods.map((p) => [p.spec?.nodeName ?? '', p.metadata?.name ?? '']));
  };

  it('stay on the own host with internalTrafficPolicy Local', async () => {
    const pods = await podsOn();
    const { spec } = await cluster.client.get(serviceResource, { namespace: 'default', name: 'near' });
    for (const host of cluster.nodes) {
      await served(host, `http://${spec?.clusterIP}/`);
      const tally = await ask(host, 100, `http://${spec?.clusterIP}/`);
      expectAll(tally, host.name);
      expect(Object.keys(tally.pods)).toEqual([pods.get(host.name)]);
    }
  });

  it('tell whose port another program of a host has, and open it when that ends', async () => {
    const h2 = cluster.lab.host('h2');
    const other = h2.spawn('node', ['-e', "require('net').createServer((s) => s.end('other')).listen(31999, () => console.log('on'))"]);
    await firstWords(other);
    await cluster.apply(
      service('taken', { type: 'NodePort', selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080, nodePort: 31_999 }] }),
    );
    const said = await eventually('an Event tells', async () => {
      const { items } = await cluster.client.list(event, 'default');
      return items.find((e) => e.reason === 'PortNotAvailable' && e.involvedObject.name === 'taken')?.message;
    });
    expect(said).toContain('31999/TCP of node h2 is in use by another program');
    const h3 = cluster.lab.host('h3');
    await served(h3, `http://${h3.address}:31999/`);
    expectAll(await ask(h3, 20, `http://${h3.address}:31999/`), 'another node');
    other.kill();
    await other.ended;
    await eventually('it is opened', async () =>
      (await h2.run('curl', ['-s', '-m', '5', `http://${h2.address}:31999/`])).stdout.startsWith('1 '),
    );
    await cluster.kubectl('delete service taken');
  });

  it('are announced by hosts that may, and with externalTrafficPolicy Local where pods are', async () => {
    const address = await addressOf('web');
    const holder = await eventually('somebody announces it', () => holderOf(address));
    expect(['h2', 'h3']).toContain(holder);
    await served(outside, `http://${address}/`);
    expectAll(await ask(outside, 300, `http://${address}/`), 'from outside');

    const other = holder === 'h2' ? 'h3' : 'h2';
    await cluster.apply(
      deployment('one', 1, { nodeSelector: { 'kubernetes.io/hostname': other } }),
      service('one', { type: 'LoadBalancer', externalTrafficPolicy: 'Local' }),
    );
    await untilRolledOut(cluster, 'deployment/one');
    const local = await addressOf('one');
    await eventually('the host with the pod announces it', async () => (await holderOf(local)) === other);
    await served(outside, `http://${local}/`);
    const tally = await ask(outside, 200, `http://${local}/`);
    expectAll(tally, 'from outside, Local');
    expect(Object.keys(tally.clients)).toEqual([outside.address]);

    // The pool is used up: the third is told so, and gets the address that is given back.
    await cluster.apply(service('late', { type: 'LoadBalancer', selector: { app: 'web' } }));
    await eventually('the pool is used up', async () => {
      const { status } = await cluster.client.get(serviceResource, { namespace: 'default', name: 'late' });
      return status?.conditions?.some((c) => c.reason === 'NoFreeAddress');
    });
    await cluster.kubectl('delete service one');
    expect(await addressOf('late')).toBe(local);
    await served(outside, `http://${local}/`);
  });

  it('go on without the control plane, even when both processes of the proxy are killed, names included', async () => {
    const [h1, h2] = [cluster.lab.host('h1'), cluster.lab.host('h2')];
    const { spec } = await cluster.client.get(serviceResource, { namespace: 'default', name: 'web' });
    const pods = await podsOn();
    await eventually('what is known is written down', async () =>
      (await h2.ok('cat', ['/var/lib/skiff/proxy/remembered.json'])).includes('"late"'),
    );
    await cluster.lab.isolate(h1);
    await h2.ok('sh', [
      '-c',
      "for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline 2>/dev/null | grep -q '[p]roxy.*main.js.*--instance=skiff' && kill -9 ${p#/proc/}; done; true",
    ]);
    const backMs = await timed('Services are back', async () => {
      const tally = parseTally((await h2.run('node', requestArguments({ count: 20, atOnce: 4 }, [`http://${spec?.clusterIP}/`]))).stdout);
      return failures(tally) === 0;
    });
    figure('Services of a host without a control plane, after both processes of the proxy were killed', `back after ${seconds(backMs)}`);
    const container = (await h2.ok('docker', ['ps', '-q', '--filter', `name=k8s_main_${pods.get('h2')}`])).trim();
    const resolve = "require('dns').promises.resolve4('web.default.svc.cluster.local').then((a) => console.log(a.join()))";
    const namesMs = await timed('names are back', async () => {
      expect((await h2.ok('docker', ['exec', container, 'node', '-e', resolve])).trim()).toBe(spec?.clusterIP);
      return true;
    });
    figure('names of such a host', `back ${seconds(namesMs)} later`);
    await cluster.lab.heal();
    await cluster.kubectl('get nodes');
  });

  it('move to another host when the one that announces them loses power', async () => {
    const address = await addressOf('web');
    await eventually('all nodes are ready', async () => !(await cluster.kubectl('get nodes --no-headers')).includes('NotReady'));
    const holder = await eventually('somebody announces it', () => holderOf(address));
    const load = await followLoad(outside.spawn('node', requestArguments({ count: 0, atOnce: 64, perSecond: 50 }, [`http://${address}/`])));
    const cutMs = performance.now();
    await cluster.lab.host(holder).kill();
    await eventually('another host announces it', async () => ![undefined, holder].includes(await holderOf(address)));
    const movedMs = performance.now() - cutMs;
    // A new connection of the outside host, with nothing that waits in its kernel.
    await eventually('it answers', async () => (await outside.run('curl', ['-s', '-m', '5', `http://${address}/`])).code === 0);
    const reachedMs = performance.now() - cutMs;
    const tally = await load.end();
    figure('address of a load balancer, its host lost power', `moved after ${seconds(movedMs)}, reached after ${seconds(reachedMs)}`);
    figure(
      'requests over it meanwhile, 50 a second',
      `${failures(tally)} of ${failures(tally) + tally.answered} failed, slowest ${tally.slowestMs} ms`,
    );
    expect(movedMs).toBeLessThan(10_000);
    expectAll(await ask(outside, 100, `http://${address}/`), 'after the move');
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { service as serviceResource } from '@skiff/api';
import { eventually } from '../e2e/support/cluster.ts';
import type { Host } from '../lab/host.ts';
import { startCluster, type HostsCluster } from './support/cluster.ts';
import { figure, readyPods, seconds, untilRolledOut } from './support/observe.ts';
import { expectAll, parseTally, requestArguments, untilServed, type Tally } from './support/requests.ts';
import { daemonSet, deployment, service } from './support/workloads.ts';

const replicas = 10;
/** Thousands of requests take their time on a busy machine. */
const patience = { timeout: 600_000 };
const pool = '10.200.0.200-10.200.0.210';

describe.each(['20.10', '28'] as const)('three hosts with engine %s', (engine) => {
  let cluster: HostsCluster;
  let outside: Host;
  let clients: readonly { name: string; address: string; host: Host }[];
  const addresses = { clusterIP: '', loadBalancer: '', localLoadBalancer: '', nodePort: 0, localNodePort: 0 };
  let webOn: Readonly<Record<string, number>>;

  beforeAll(async () => {
    cluster = await startCluster({
      name: 'network',
      hosts: [{}, {}, {}, { name: 'outside', engine: 'none' }],
      engine,
      up: [`--load-balancer-cidr=${pool}`],
    });
    outside = cluster.lab.host('outside');
    figure(`engine ${engine}, \`skiff up\``, seconds(cluster.upMs));
    figure(`engine ${engine}, \`skiff join\` on two hosts at once`, cluster.joinMs.map(seconds).join(', '));
    await cluster.apply(
      deployment('web', replicas),
      daemonSet('client'),
      service('web', { type: 'LoadBalancer' }),
      service('web-local', { type: 'LoadBalancer', externalTrafficPolicy: 'Local', selector: { app: 'web' } }),
      service('web-headless', { clusterIP: 'None', selector: { app: 'web' } }),
    );
    await untilRolledOut(cluster, 'deployment/web');
    await untilRolledOut(cluster, 'daemonset/client');
    const [web, client] = await Promise.all([readyPods(cluster, 'web', replicas), readyPods(cluster, 'client', cluster.nodes.length)]);
    const hostOf = (name: string | undefined): Host => cluster.lab.host(name ?? '');
    clients = client.map((p) => ({ name: p.metadata?.name ?? '', address: p.status?.podIP ?? '', host: hostOf(p.spec?.nodeName) }));
    webOn = Object.fromEntries(cluster.nodes.map((h) => [h.name, web.filter((p) => p.spec?.nodeName === h.name).length]));
    const known = await eventually('addresses of the load balancers', async () => {
      const [all, local] = await Promise.all(
        ['web', 'web-local'].map((name) => cluster.client.get(serviceResource, { namespace: 'default', name })),
      );
      const [a, b] = [all, local].map((s) => s?.status?.loadBalancer?.ingress?.[0]?.ip);
      return a === undefined || b === undefined ? undefined : { all, local, a, b };
    });
    addresses.clusterIP = known.all?.spec?.clusterIP ?? '';
    addresses.nodePort = known.all?.spec?.ports?.[0]?.nodePort ?? 0;
    addresses.localNodePort = known.local?.spec?.ports?.[0]?.nodePort ?? 0;
    addresses.loadBalancer = known.a;
    addresses.localLoadBalancer = known.b;
    await untilAllKnowAll();
  });
  afterAll(() => cluster?.close());

  const fromHost = async (host: Host, count: number, urls: readonly string[]): Promise<Tally> =>
    parseTally(await host.ok('node', requestArguments({ count }, urls)));
  const fromPod = async (pod: string, count: number, urls: readonly string[]): Promise<Tally> =>
    parseTally(await cluster.control.ok('kubectl', ['exec', pod, '--', 'node', ...requestArguments({ count }, urls)]));
  /** Every host has heard of the Services and all their pods, names included, and routes lead to all pods. */
  const untilAllKnowAll = async (): Promise<void> => {
    const everywhere = [...nodePorts(addresses.nodePort), `http://${addresses.loadBalancer}/`];
    const local = [...nodePorts(addresses.localNodePort), `http://${addresses.localLoadBalancer}/`];
    const node = (host: Host) => (args: readonly string[]) => host.ok('node', args);
    const ofOutside = async (): Promise<void> => {
      await untilServed('outside', node(outside), { urls: everywhere, pods: replicas });
      await untilServed('outside', node(outside), { urls: local });
    };
    const ofHost = async (host: Host): Promise<void> => {
      await untilServed(host.name, node(host), { urls: [`http://${addresses.clusterIP}/`], pods: replicas });
      await untilServed(host.name, node(host), { urls: everywhere });
    };
    const ofPod = async ({ name }: { name: string }): Promise<void> => {
      const exec = (args: readonly string[]) => cluster.control.ok('kubectl', ['exec', name, '--', 'node', ...args]);
      await untilServed(name, exec, { urls: ['http://web/', ...clients.map((to) => `http://${to.address}:8080/`)] });
      await eventually(`${name} knows all pods of web-headless`, async () => {
        const resolve = "require('dns').promises.resolve4('web-headless.default.svc.cluster.local').then((a) => console.log(a.length))";
        return Number(await exec(['-e', resolve])) === replicas;
      });
    };
    await Promise.all([ofOutside(), ...cluster.nodes.map(ofHost), ...clients.map(ofPod)]);
  };
  const sum = (counts: Readonly<Record<string, number>>): number => Object.values(counts).reduce((a, b) => a + b, 0);
  const nodePorts = (port: number): readonly string[] => cluster.nodes.map((h) => `http://${h.address}:${port}/`);

  it('spreads a Deployment of 10 over all of them', () => {
    expect(sum(webOn)).toBe(replicas);
    expect(Math.min(...Object.values(webOn))).toBeGreaterThanOrEqual(2);
  });

  it('answers 1,000 requests from every host by ClusterIP, NodePort of every node and LoadBalancer address', patience, async () => {
    for (const host of cluster.nodes) {
      for (const urls of [[`http://${addresses.clusterIP}/`], nodePorts(addresses.nodePort), [`http://${addresses.loadBalancer}/`]]) {
        const tally = await fromHost(host, 1000, urls);
        expectAll(tally, `${host.name} to ${urls[0]}`);
        expect(tally.answered).toBe(1000);
        expect(Object.keys(tally.pods).length).toBe(replicas);
        // Some node of the cluster is the client: the one that carried the request.
        expect(cluster.nodes.map((h) => h.address)).toEqual(expect.arrayContaining(Object.keys(tally.clients)));
      }
    }
  });

  it('answers 1,000 requests from every host by DNS name, under the host’s own address', patience, async () => {
    const dns = await cluster.client.get(serviceResource, { namespace: 'kube-system', name: 'kube-dns' });
    for (const host of cluster.nodes) {
      const how = { count: 1000, nameServer: dns.spec?.clusterIP ?? '', timeoutMs: 60_000 };
      const tally = parseTally(
        await host.ok('node', requestArguments(how, ['http://web.default.svc.cluster.local/']), { timeoutMs: 180_000 }),
      );
      expectAll(tally, `${host.name} by name`);
      expect([tally.answered, Object.keys(tally.pods).length]).toEqual([1000, replicas]);
      expect(Object.keys(tally.clients)).toEqual([host.address]);
    }
  });

  it('answers 1,000 requests from a pod on every host by DNS name and ClusterIP, and shows the pod’s own address', patience, async () => {
    for (const client of clients) {
      const tally = await fromPod(client.name, 1000, ['http://web/', `http://${addresses.clusterIP}/`]);
      expectAll(tally, `pod on ${client.host.name}`);
      expect(Object.keys(tally.pods).length).toBe(replicas);
      expect(Object.keys(tally.clients)).toEqual([client.address]);
    }
  });

  it(
    'answers 1,000 requests from a pod on every host by NodePort of every node and by LoadBalancer address as well',
    patience,
    async () => {
      for (const client of clients) {
        const tally = await fromPod(client.name, 1000, [...nodePorts(addresses.nodePort), `http://${addresses.loadBalancer}/`]);
        expectAll(tally, `pod on ${client.host.name}`);
        expect(Object.keys(tally.pods).length).toBe(replicas);
      }
    },
  );

  it('lets pods of all hosts see each other’s own addresses', async () => {
    for (const from of clients) {
      const tally = await fromPod(
        from.name,
        30,
        clients.map((to) => `http://${to.address}:8080/`),
      );
      expectAll(tally, `pod on ${from.host.name}`);
      expect(Object.keys(tally.clients)).toEqual([from.address]);
    }
  });

  it('resolves names from every host’s pods: Service, headless, and none that do not exist', async () => {
    for (const client of clients) {
      const program = `const dns = require('dns').promises; Promise.all([dns.resolve4('web.default.svc.cluster.local'),
        dns.resolve4('web-headless.default.svc.cluster.local'), dns.resolve4('absent.default.svc.cluster.local').catch((e) => [e.code])])
        .then((r) => console.log(JSON.stringify(r)));`;
      const answer = await cluster.control.ok('kubectl', ['exec', client.name, '--', 'node', '-e', program]);
      const [web, headless, absent] = JSON.parse(answer) as [string[], string[], string[]];
      expect(web).toEqual([addresses.clusterIP]);
      expect(new Set(headless).size).toBe(replicas);
      expect(absent).toEqual(['ENOTFOUND']);
    }
  });

  it('shows pods the true client outside where the Service is Local, and the node elsewhere', async () => {
    const local = await fromHost(outside, 600, [...nodePorts(addresses.localNodePort), `http://${addresses.localLoadBalancer}/`]);
    expectAll(local, 'from outside, Local');
    expect(Object.keys(local.clients)).toEqual([outside.address]);
    const spread = await fromHost(outside, 600, [...nodePorts(addresses.nodePort), `http://${addresses.loadBalancer}/`]);
    expectAll(spread, 'from outside');
    expect(Object.keys(spread.pods).length).toBe(replicas);
    expect(cluster.nodes.map((h) => h.address)).toEqual(expect.arrayContaining(Object.keys(spread.clients)));
  });

  it('carries UDP from outside and from pods', async () => {
    const program = `const s = require('dgram').createSocket('udp4'); let left = 20; const from = new Set();
      s.on('message', (m, r) => { from.add(r.address); if (--left === 0) { console.log([...from].join(' ')); process.exit(0); } next(); });
      const next = () => s.send('hello', Number(process.argv[2]), process.argv[1]); next();
      setTimeout(() => { console.log('silence'); process.exit(1); }, 10000);`;
    expect((await outside.ok('node', ['-e', program, addresses.loadBalancer, '81'])).trim()).toBe(addresses.loadBalancer);
    for (const client of clients) {
      const answer = await cluster.control.ok('kubectl', ['exec', client.name, '--', 'node', '-e', program, addresses.clusterIP, '81']);
      expect(answer.trim()).toBe(addresses.clusterIP);
    }
  });

  it('refuses at once where nobody serves', async () => {
    await cluster.apply(service('nobody', { type: 'NodePort' }));
    const nobody = await cluster.client.get(serviceResource, { namespace: 'default', name: 'nobody' });
    const tally = await fromHost(cluster.lab.host('h2'), 10, [
      `http://${nobody.spec?.clusterIP}/`,
      ...nodePorts(nobody.spec?.ports?.[0]?.nodePort ?? 0),
    ]);
    expect(tally.failed).toEqual({ ECONNREFUSED: 10 });
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { node as nodeResource } from '@skiff/api';
import { eventually } from '../e2e/support/cluster.ts';
import { testImages } from '../e2e/support/images.ts';
import type { Host } from '../lab/host.ts';
import { firstWords } from '../lab/inside.ts';
import { startCluster, type HostsCluster } from './support/cluster.ts';
import { figure, isReady, podsOf, readyPods, seconds, timed, untilRolledOut } from './support/observe.ts';
import { expectAll, parseTally, requestArguments, untilServed, type Tally } from './support/requests.ts';
import { daemonSet, service } from './support/workloads.ts';

interface Agent {
  readonly name: string;
  readonly address: string;
  readonly host: Host;
  readonly container: string;
}
interface Route {
  readonly dst: string;
  readonly dev: string;
}

const tunnel = 'skv-skiff';
const megabytes = 1_000_000;

/** Sends what it is asked for on 9000 (a number of bytes), and answers byte by byte on 9001. */
const source = `
const net = require('net');
net.createServer((s) => { s.on('error', () => {}); s.once('data', (d) => { let left = Number(d); const block = Buffer.alloc(65536);
  const more = () => { while (left > 0) { const n = Math.min(left, block.length); left -= n; if (!s.write(block.subarray(0, n))) return s.once('drain', more); } s.end(); }; more(); }); }).listen(9000);
net.createServer((s) => { s.on('error', () => {}); s.setNoDelay(true); s.pipe(s); }).listen(9001, () => console.log('on'));`;
/** Prints bytes and milliseconds of a transfer, and the median round trip in microseconds. */
const sink = `
const net = require('net'); const [host, bytes] = process.argv.slice(1);
const began = performance.now(); let got = 0;
const s = net.connect(9000, host, () => s.write(bytes)); s.setTimeout(20000, () => { console.log('silence after', got); process.exit(1); });
s.on('data', (d) => { got += d.length; }).on('end', () => { const ms = performance.now() - began; s.destroy();
  const e = net.connect(9001, host); e.setNoDelay(true); const trips = []; let at;
  const ping = () => { at = performance.now(); e.write('x'); };
  e.on('connect', ping).on('data', () => { trips.push(performance.now() - at); if (trips.length < 500) return ping();
    console.log(got, ms, trips.sort((a, b) => a - b)[250] * 1000); process.exit(0); }); });`;

describe.each(['20.10', '28'] as const)('pods of three hosts, one of them behind a router, with engine %s', (engine) => {
  let cluster: HostsCluster;
  let agents: readonly Agent[];
  const agentOn = (name: string): Agent => {
    const found = agents.find((a) => a.host.name === name);
    if (found === undefined) throw new Error(`no agent on ${name}`);
    return found;
  };
  /** Once each host's pod is ready. */
  const findAgents = async (): Promise<readonly Agent[]> =>
    Promise.all(
      (await readyPods(cluster, 'agent', cluster.nodes.length)).map(async (p) => {
        const host = cluster.lab.host(p.spec?.nodeName ?? '');
        const name = p.metadata?.name ?? '';
        const listed = await host.docker.listContainers({ filters: { name: [`k8s_main_${name}_`] } });
        if (listed.length !== 1) throw new Error(`${host.name} runs ${listed.length} containers of ${name}, which is ready`);
        return { name, address: p.status?.podIP ?? '', host, container: listed[0]?.Id ?? '' };
      }),
    );
  const inPod = (agent: Agent, args: readonly string[]): Promise<string> => agent.host.ok('docker', ['exec', agent.container, ...args]);
  const routes = async (host: Host): Promise<readonly Route[]> =>
    JSON.parse(await host.ok('ip', ['-j', 'route', 'show', 'proto', '83'])) as Route[];
  const wayTo = async (from: Host, to: string): Promise<string | undefined> => {
    const range = (await cluster.client.get(nodeResource, { name: to })).spec?.podCIDR;
    return (await routes(from)).find((r) => r.dst === range)?.dev;
  };
  /** Requests from every pod to every other; throws unless all are answered and the pods saw each other. */
  const allReachAll = async (o: { count: number; timeoutMs?: number } = { count: 20 }): Promise<void> => {
    for (const from of agents) {
      const urls = agents.filter((to) => to !== from).map((to) => `http://${to.address}:8080/`);
      const tally: Tally = parseTally(await inPod(from, ['node', ...requestArguments(o, urls)]));
      expectAll(tally, `pod on ${from.host.name}`);
      expect(Object.keys(tally.clients)).toEqual([from.address]);
    }
  };
  /** The ms until all do. */
  const untilAllReachAll = (): Promise<number> =>
    timed('all pods reach each other', async () => {
      await allReachAll({ count: 2, timeoutMs: 2_000 });
      return true;
    });

  beforeAll(async () => {
    cluster = await startCluster({
      name: 'podnet',
      hosts: [{}, {}, { segment: 'b' }, { name: 'outside', segment: 'b', engine: 'none' }],
      engine,
    });
    const all = await timed('routes', async () => (await Promise.all(cluster.nodes.map(routes))).every((r) => r.length >= 4));
    figure(`engine ${engine}: routes on all hosts after the last join`, seconds(all));
    await cluster.apply(
      daemonSet('agent', {
        containers: [
          {
            name: 'main',
            image: testImages.web1,
            readinessProbe: { httpGet: { path: '/healthz', port: 8080 }, periodSeconds: 1 },
            ports: [{ containerPort: 8080, hostPort: 7080 }],
          },
        ],
      }),
      service('agent'),
    );
    await untilRolledOut(cluster, 'daemonset/agent');
    agents = await findAgents();
  });
  afterAll(() => cluster?.close());

  it('go straight where they can and through the tunnel where not; the nodes say that routes exist', async () => {
    const [h1, h2, h3] = cluster.nodes as [Host, Host, Host];
    // A host chooses again when it hears which ways are answered, and says how it is at its next report.
    await timed('the ways are chosen', async () => {
      expect([await wayTo(h1, 'h2'), await wayTo(h2, 'h1')]).toEqual(['eth0', 'eth0']);
      expect([await wayTo(h1, 'h3'), await wayTo(h3, 'h1'), await wayTo(h3, 'h2')]).toEqual([tunnel, tunnel, tunnel]);
      const { items } = await cluster.client.list(nodeResource);
      const said = items.map((n) => n.status?.conditions?.find((c) => c.type === 'NetworkUnavailable'));
      expect(said.map((c) => `${c?.status} ${c?.reason}`)).toEqual(Array(3).fill('False RouteCreated'));
      return true;
    });
    await allReachAll();
  });

  it('carry bulk in packets of full size, either way', async () => {
    const bytes = 100 * megabytes;
    for (const agent of agents) {
      await firstWords(agent.host.spawn('docker', ['exec', agent.container, 'node', '-e', source]));
    }
    const from = agentOn('h1');
    const rates: Record<string, number> = {};
    for (const [way, to] of [
      ['direct', agentOn('h2')],
      ['vxlan', agentOn('h3')],
    ] as const) {
      const [got = 0, ms = 1, trip = 0] = (await inPod(from, ['node', '-e', sink, to.address, String(bytes)]))
        .trim()
        .split(' ')
        .map(Number);
      expect(got).toBe(bytes);
      rates[way] = bytes / ms / 1000;
      figure(`engine ${engine}: pod to pod, ${way}`, `${rates[way].toFixed(0)} MB/s, round trip ${trip.toFixed(0)} µs`);
    }
    const mtu = "console.log(require('fs').readFileSync('/sys/class/net/eth0/mtu', 'utf8'))";
    expect((await inPod(from, ['node', '-e', mtu])).trim()).toBe('1450');
  });

  it('are seen under their host’s address outside, and see outsiders on their host’s ports as they are', async () => {
    const outside = cluster.lab.host('outside');
    const echo = "require('net').createServer((s) => s.end(s.remoteAddress)).listen(7000, '0.0.0.0', () => console.log('on'))";
    await firstWords(outside.spawn('node', ['-e', echo]));
    const ask = `require('net').connect(7000, '${outside.address}').on('data', (d) => console.log(String(d)));`;
    for (const agent of agents) expect((await inPod(agent, ['node', '-e', ask])).trim()).toBe(agent.host.address);
    for (const agent of agents) {
      const tally = parseTally(await outside.ok('node', requestArguments({ count: 5 }, [`http://${agent.host.address}:7080/`])));
      expect([tally.failed, tally.clients, tally.pods]).toEqual([{}, { [outside.address]: 5 }, { [agent.name]: 5 }]);
      const own = parseTally(await agent.host.ok('node', requestArguments({ count: 5 }, ['http://127.0.0.1:7080/'])));
      expect([own.failed, own.pods]).toEqual([{}, { [agent.name]: 5 }]);
    }
  });

  it('leave Docker’s own networks usable and apart', async () => {
    const h2 = cluster.lab.host('h2');
    for (const name of ['one', 'two']) {
      await h2.ok('docker', ['network', 'create', name]);
      const published = name === 'one' ? ['-p', '7090:8080'] : [];
      await h2.ok('docker', ['run', '-d', '--name', name, '--network', name, ...published, testImages.web1]);
    }
    const addressOf = async (name: string): Promise<string> =>
      (await h2.ok('docker', ['inspect', '-f', '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}', name])).trim();
    const [one, two] = await Promise.all(['one', 'two'].map(addressOf));
    const tryIt = async (place: string, url: string, timeoutMs = 10_000): Promise<string> =>
      (
        await h2.ok('docker', [
          'exec',
          place,
          'node',
          '-e',
          `require('http').get('${url}', { timeout: ${timeoutMs} }, (r) => { console.log(r.statusCode); process.exit(); }).on('timeout', () => { console.log('silence'); process.exit(); }).on('error', (e) => console.log(e.code));`,
        ])
      ).trim();
    for (const name of ['one', 'two'])
      await eventually(`the server in ${name} answers`, async () => (await tryIt(name, 'http://127.0.0.1:8080/')) === '200');
    const pod = agentOn('h2').container;
    // From the container: its own kind on another host, and a pod; published ports from pods.
    expect(await tryIt('one', `http://${agentOn('h1').address}:8080/`)).toBe('200');
    expect(await tryIt(pod, `http://${h2.address}:7090/`)).toBe('200');
    expect(await tryIt(pod, `http://${agentOn('h3').address}:8080/`)).toBe('200');
    // Not from network to network, nor from pods to what is not published.
    const [between, inward] = await Promise.all(['one', pod].map((place) => tryIt(place, `http://${two}:8080/`, 1_500)));
    expect(between).toBe('silence');
    expect(inward).not.toBe('200');
    expect(one).not.toBe(two);
    await h2.ok('docker', ['rm', '-f', 'one', 'two']);
    await h2.ok('docker', ['network', 'rm', 'one', 'two']);
  });

  it('go on when firewalls drop by default, in iptables and beside it', async () => {
    for (const host of cluster.nodes) for (const chain of ['INPUT', 'FORWARD']) await host.ok('iptables', ['-P', chain, 'DROP']);
    await cluster.lab
      .host('h2')
      .ok('nft', [
        'table inet mine { chain f { type filter hook forward priority 0; policy drop; }; chain i { type filter hook input priority 0; policy drop; iifname "lo" accept; }; }',
      ]);
    figure(`engine ${engine}: pods reach each other after a firewall came up beside iptables`, seconds(await untilAllReachAll()));
    await allReachAll();
    // Probes of pods were held up as well, and with them the Service.
    agents = await findAgents();
    const urls = ['http://agent/'];
    for (const agent of agents) {
      await untilServed(`pod on ${agent.host.name}`, (args) => inPod(agent, ['node', ...args]), { urls });
      expectAll(parseTally(await inPod(agent, ['node', ...requestArguments({ count: 30 }, urls)])), agent.host.name);
    }
    expect(await cluster.kubectl(`exec ${agentOn('h2').name} -- node -e "console.log(6 * 7)"`)).toContain('42');
    expect(await cluster.kubectl(`logs ${agentOn('h3').name}`)).toContain('serving');
  });

  it('come back after dockerd was restarted and all rules were flushed', async () => {
    const before = agents;
    for (const host of cluster.nodes) {
      await host.stopEngine();
      await host.startEngine();
      for (const table of ['filter', 'nat']) await host.ok('iptables', ['-t', table, '-F']);
    }
    figure(`engine ${engine}: pods reach each other after iptables -F`, seconds(await untilAllReachAll()));
    // The host's own probes were held up too, so pods are ready a little later. Their containers ran on.
    agents = await findAgents();
    const identities = (list: readonly Agent[]): readonly string[] => list.map((a) => `${a.name} ${a.container} ${a.address}`).sort();
    expect(identities(agents)).toEqual(identities(before));
    await allReachAll();
  });

  it('come back after a reboot of the host behind the router', async () => {
    const h3 = cluster.lab.host('h3');
    const before = agentOn('h3').name;
    await h3.kill();
    await h3.start();
    for (const chain of ['INPUT', 'FORWARD']) await h3.ok('iptables', ['-P', chain, 'DROP']);
    await h3.ok('skiff', ['join']);
    await timed('its pod runs again', async () => {
      const pod = (await podsOf(cluster, 'agent')).find((p) => p.metadata?.name === before);
      return pod !== undefined && isReady(pod) && (pod.status?.containerStatuses?.[0]?.restartCount ?? 0) > 0;
    });
    agents = await findAgents();
    figure(`engine ${engine}: pods reach each other after a reboot and join`, seconds(await untilAllReachAll()));
  });

  it('leave no trace of their network on a host that is taken out after a crash, nor of the host elsewhere', async () => {
    const [h1, h2] = cluster.nodes as [Host, Host];
    const gone = (await cluster.client.get(nodeResource, { name: 'h2' })).spec?.podCIDR ?? '';
    // A letter in brackets, so that the shell doesn't find itself. One that ended by itself meanwhile is no failure.
    const ours = 'pgrep -f "[p]ackages/(cli|kubelet|proxy)/dist"';
    await h2.ok('sh', ['-c', `kill -9 $(${ours}) || true`]);
    await eventually('all of them are gone', async () => (await h2.run('sh', ['-c', ours])).code === 1);
    await h2.ok('skiff', ['down', '--wipe']);
    expect(await h2.ok('ip', ['-o', 'link'])).not.toMatch(/sk[psv]/);
    expect(await h2.ok('ip', ['route', 'show', 'table', 'all'])).not.toMatch(/10\.244\.|10\.96\.|10\.220\.|sk[psv]/);
    expect(await h2.ok('iptables-save')).not.toContain('SKIFF');
    expect(await h2.ok('nft', ['list', 'ruleset'])).not.toContain('skiff');
    await cluster.kubectl('delete node h2');
    const later = await timed('its route is gone', async () => (await routes(h1)).every((r) => r.dst !== gone));
    figure(`engine ${engine}: route gone after its node`, seconds(later));
  });
});

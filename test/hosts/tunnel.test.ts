import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { service as serviceResource } from '@skiff/api';
import { eventually, kubectls, splitWords } from '../e2e/support/cluster.ts';
import { testImages } from '../e2e/support/images.ts';
import type { Host } from '../lab/host.ts';
import type { InsideProcess } from '../lab/inside.ts';
import { joinHost, startCluster, type HostsCluster } from './support/cluster.ts';
import { figure, podsOf, readyPods, timed, untilRolledOut } from './support/observe.ts';
import { expectAll, failures, followLoad, parseTally, requestArguments, untilServed } from './support/requests.ts';
import { daemonSet, deployment, service } from './support/workloads.ts';

/** What a program has printed so far; `until` resolves once it contains a text. */
function listen(started: InsideProcess): { text(): string; until(what: string): Promise<void> } {
  let text = '';
  for (const stream of [started.child.stdout, started.child.stderr]) stream.on('data', (d: Buffer) => (text += d.toString()));
  return {
    text: () => text,
    until: async (what) => void (await eventually(`${JSON.stringify(what)} is printed`, async () => text.includes(what), 60_000)),
  };
}

/** A pod that prints a line each second and sums what it is told. */
const talker = (node: string): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'talker', namespace: 'default', labels: { app: 'talker' } },
  spec: {
    nodeName: node,
    terminationGracePeriodSeconds: 1,
    containers: [
      {
        name: 'main',
        image: testImages.busybox,
        stdin: true,
        command: ['sh', '-c', 'i=0; (while :; do i=$((i+1)); echo line $i; sleep 1; done) & while read l; do echo "heard $l"; done; wait'],
      },
    ],
  },
});

describe('a host behind NAT, which nobody can connect to', () => {
  let cluster: HostsCluster;
  let control: Host;
  let hidden: Host;
  let web = '';

  beforeAll(async () => {
    cluster = await startCluster({ name: 'nat', hosts: [{}, { name: 'second' }, { name: 'hidden', nat: true }], members: 1 });
    control = cluster.control;
    hidden = cluster.lab.host('hidden');
    const [program = '', ...args] = splitWords(await control.ok('skiff', ['token', 'create', '--control-plane', '--print-join-command']));
    await cluster.lab.host('second').ok(program, args);
    await joinHost(control, hidden);
    await cluster.apply(talker(hidden.name), deployment('web', 1, { nodeName: hidden.name }), service('web'));
    await untilRolledOut(cluster, 'deployment/web');
    await readyPods(cluster, 'talker', 1);
    web = (await podsOf(cluster, 'web'))[0]?.metadata?.name ?? '';
  });
  afterAll(() => cluster?.close());

  it('is out of reach from the control plane', async () => {
    const direct = await control.run('node', [
      '-e',
      `require('net').connect({ host: '${hidden.address}', port: 10250, timeout: 1500 }).on('connect', () => process.exit(0)).on('timeout', () => process.exit(7)).on('error', () => process.exit(7))`,
    ]);
    expect(direct.code).toBe(7);
  });

  describe.each(kubectls())('with %s', (kubectl) => {
    const run = (args: readonly string[], input?: string) =>
      control.run(kubectl, args, { timeoutMs: 60_000, ...(input === undefined ? {} : { input }) });
    const ok = async (args: readonly string[], input?: string): Promise<string> => {
      const r = await run(args, input);
      if (r.code !== 0) throw new Error(`${args.join(' ')}: ${r.code} ${r.stdout}${r.stderr}`);
      return r.stdout;
    };

    it('logs, also as they come', async () => {
      expect(await ok(['logs', web])).toContain('serving 1');
      const following = control.spawn(kubectl, ['logs', '-f', '--tail=1', 'talker']);
      const heard = listen(following);
      const n = Number(await eventually('a line', async () => /line (\d+)\n/.exec(heard.text())?.[1]));
      await heard.until(`line ${n + 2}`);
      following.kill();
      await following.ended;
    });

    it('exec, with input, exit codes, errors and a terminal', async () => {
      expect(await ok(['exec', 'talker', '--', 'hostname'])).toBe('talker\n');
      expect(await ok(['exec', '-i', 'talker', '--', 'md5sum'], 'x'.repeat(3_000_000))).toContain(
        createHash('md5').update('x'.repeat(3_000_000)).digest('hex'),
      );
      // A reader that is late gets all of it, wherever it waits meanwhile: these are more than any one buffer on the way holds.
      const sizes = Array.from({ length: 12 }, (_, i) => 2_000_000 + i * 900_000);
      const late = sizes.map((size) => control.ok('sh', ['-c', `${kubectl} exec talker -- head -c ${size} /dev/zero | (sleep 3; wc -c)`]));
      expect((await Promise.all(late)).map(Number)).toEqual(sizes);
      const failed = await run(['exec', 'talker', '--', 'sh', '-c', 'echo out; echo err >&2; exit 3']);
      expect([failed.code, failed.stdout, failed.stderr.includes('err\n')]).toEqual([3, 'out\n', true]);
      const terminal = control.spawn('script', ['-qec', `${kubectl} exec -it talker -- sh`, '/dev/null'], { env: { TERM: 'xterm' } });
      const screen = listen(terminal);
      await screen.until('#');
      terminal.child.stdin.write('tty; echo sum $((20 + 22))\n');
      await screen.until('sum 42');
      expect(screen.text()).toContain('/dev/pts/');
      terminal.child.stdin.write('exit 5\n');
      expect(await terminal.ended).toBe(5);
    });

    it('attach', async () => {
      const attached = control.spawn(kubectl, ['attach', '-i', 'talker']);
      const heard = listen(attached);
      await heard.until('line');
      attached.child.stdin.write('a word\n');
      await heard.until('heard a word');
      attached.kill();
      await attached.ended;
    });

    it('port-forward', async () => {
      const forward = control.spawn(kubectl, ['port-forward', 'service/web', '18080:80']);
      const said = listen(forward);
      await said.until('Forwarding from 127.0.0.1:18080');
      const tally = parseTally(await control.ok('node', requestArguments({ count: 40, atOnce: 8 }, ['http://127.0.0.1:18080/'])));
      expect(tally).toMatchObject({ answered: 40, failed: {} });
      forward.kill();
      await forward.ended;
    });

    it('cp, both ways', async () => {
      await control.ok('sh', ['-c', 'rm -rf /tmp/there /tmp/back; mkdir /tmp/there && head -c 8000000 /dev/urandom >/tmp/there/blob']);
      await ok(['exec', 'talker', '--', 'rm', '-rf', '/tmp/there']);
      await ok(['cp', '/tmp/there', 'talker:/tmp/there']);
      await ok(['cp', 'talker:/tmp/there', '/tmp/back']);
      await control.ok('cmp', ['/tmp/there/blob', '/tmp/back/blob']);
    });

    it('the proxies', async () => {
      expect(await ok(['get', '--raw', `/api/v1/namespaces/default/pods/${web}:8080/proxy/`])).toMatch(/^1 web-/);
      expect(await ok(['get', '--raw', '/api/v1/namespaces/default/services/web:http/proxy/'])).toMatch(/^1 web-/);
      expect(await ok(['get', '--raw', `/api/v1/nodes/${hidden.name}/proxy/healthz`])).toBe('ok');
      const refused = await run(['get', '--raw', `/api/v1/namespaces/default/pods/${web}:9/proxy/`]);
      expect(refused.stderr).toContain('connect: connection refused');
    });

    it('webhooks, for requests of any size', async () => {
      // The pod behind the Service speaks no TLS, which only who reaches it can know.
      const rule = { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'], scope: 'Namespaced' };
      await cluster.apply({
        apiVersion: 'admissionregistration.k8s.io/v1',
        kind: 'ValidatingWebhookConfiguration',
        metadata: { name: 'hidden' },
        webhooks: [
          {
            name: 'hidden.example.com',
            clientConfig: { service: { namespace: 'default', name: 'web', port: 80 } },
            rules: [rule],
            objectSelector: { matchLabels: { checked: 'yes' } },
            admissionReviewVersions: ['v1'],
            sideEffects: 'None',
          },
        ],
      });
      const refusal = async (keys: number): Promise<string> => {
        const data = Object.fromEntries(Array.from({ length: keys }, (_, i) => [`k${i}`, '']));
        const map = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'checked', labels: { checked: 'yes' } }, data };
        return (await run(['create', '-f', '-'], JSON.stringify(map))).stderr;
      };
      const small = await eventually('the webhook is called', async () => {
        const text = await refusal(1);
        return text.includes('failed calling webhook') ? text : undefined;
      });
      expect(small).toContain('wrong version number');
      expect(await refusal(5000)).toBe(small);
      await ok(['delete', 'validatingwebhookconfiguration', 'hidden']);
    });
  });

  it('is reached from every apiserver, by a tunnel to each', async () => {
    const second = cluster.lab.host('second');
    for (const host of [control, second])
      await eventually(`${host.name} has the tunnel`, async () =>
        /"node":"hidden".*a node has opened its tunnel/.test(await host.ok('cat', ['/var/lib/skiff/log/apiserver.log'])),
      );
    for (const host of [control, second]) {
      const server = `--server=https://${host.address}:6443`;
      expect(await second.ok('kubectl', [server, 'logs', web])).toContain('serving 1');
      expect(await second.ok('kubectl', [server, 'exec', 'talker', '--', 'hostname'])).toBe('talker\n');
    }
  });

  it('says so in time when the node is cut off', async () => {
    await cluster.lab.isolate(hidden);
    try {
      // Until the tunnel is known to be dead it is tried first; then the direct way, which fails in its own time.
      const answer = await control.run('kubectl', ['logs', web], { timeoutMs: 120_000 });
      expect(answer.code).toBe(1);
      expect(answer.stderr).toMatch(/error dialing backend: dial tcp .*(i\/o timeout|no route to host) \(.*node "hidden".*\)/);
      expect(answer.ms).toBeLessThan(60_000);
      figure('node cut off, told so after', `${Math.round(answer.ms)} ms`);
    } finally {
      await cluster.lab.heal();
    }
    const ms = await timed('logs', async () => (await control.run('kubectl', ['logs', web])).code === 0);
    figure('healed, logs again after', `${Math.round(ms)} ms`);
  });

  it('opens its tunnel again when the apiserver comes back', async () => {
    const { processes } = JSON.parse(await control.ok('cat', ['/var/lib/skiff/run/supervisor.json'])) as {
      processes: Record<string, { pid: number }>;
    };
    await control.ok('kill', ['-9', String(processes['apiserver']?.pid)]);
    const ms = await timed('logs', async () => (await control.run('kubectl', ['logs', web])).code === 0);
    figure('apiserver killed, logs from a hidden node after', `${Math.round(ms)} ms`);
  });
});

describe('a rollout under load, over three hosts', () => {
  let cluster: HostsCluster;
  beforeAll(async () => {
    cluster = await startCluster({ name: 'rollout', hosts: 3 });
    await cluster.apply(
      deployment('web', 6, { terminationGracePeriodSeconds: 30 }),
      daemonSet('client'),
      service('web', { type: 'NodePort' }),
    );
    for (const name of ['deployment/web', 'daemonset/client']) await untilRolledOut(cluster, name);
  });
  afterAll(() => cluster?.close());

  it('loses no new connection, wherever it comes from', async () => {
    const { spec } = await cluster.client.get(serviceResource, { namespace: 'default', name: 'web' });
    const nodePort = spec?.ports?.find((p) => p.name === 'http')?.nodePort ?? 0;
    const urls = [`http://${spec?.clusterIP}/`, ...cluster.nodes.map((h) => `http://${h.address}:${nodePort}/`)];
    const clients = (await readyPods(cluster, 'client', cluster.nodes.length)).map((p) => p.metadata?.name ?? '');
    const inside = [urls[0] ?? '', 'http://web/'];
    // The story begins when all clients know the Service.
    await Promise.all([
      ...cluster.nodes.map((h) => untilServed(h.name, (args) => h.ok('node', args), { urls })),
      ...clients.map((name) =>
        untilServed(name, (args) => cluster.control.ok('kubectl', ['exec', name, '--', 'node', ...args]), { urls: inside }),
      ),
    ]);
    const loads = await Promise.all([
      ...cluster.nodes.map((h) => followLoad(h.spawn('node', requestArguments({ count: 0, atOnce: 16, perSecond: 60 }, urls)))),
      ...clients.map((name) => {
        const load = requestArguments({ count: 0, atOnce: 16, perSecond: 60 }, inside);
        return followLoad(cluster.control.spawn('kubectl', ['exec', '-i', name, '--', 'node', ...load]));
      }),
    ]);
    const times: number[] = [];
    for (const image of [testImages.web2, testImages.web1]) {
      const started = performance.now();
      await cluster.kubectl(`set image deployment/web main=${image}`);
      await untilRolledOut(cluster, 'deployment/web');
      // The old ones are gone then.
      await readyPods(cluster, 'web', 6);
      times.push(Math.round(performance.now() - started));
    }
    const tallies = await Promise.all(loads.map((l) => l.end()));
    const requests = tallies.reduce((n, t) => n + t.answered + failures(t), 0);
    figure('two rollouts of 6 pods', `${times.join(', ')} ms; ${requests} requests, lost ${tallies.reduce((n, t) => n + failures(t), 0)}`);
    figure('slowest answer', `${Math.max(...tallies.map((t) => t.slowestMs))} ms`);
    tallies.forEach((t, i) => expectAll(t, i < cluster.nodes.length ? `from host ${cluster.nodes[i]?.name}` : 'from a pod'));
    expect(requests).toBeGreaterThan(1000);
  });

  it('loses no request of a program that dies at its stop signal', async () => {
    // No accept, no answer after SIGTERM: whatever is open then is lost. So nothing may be open, and nobody may come any more.
    const program = `const answer = (request, response) => setTimeout(() => response.end('1 ' + require('os').hostname() + ' x\\n'), 40);
      require('http').createServer({ keepAlive: false }, answer).listen(8080);
      process.on('SIGTERM', () => process.exit(0));`;
    const container = { name: 'main', image: testImages.web1, command: ['node', '-e', program] };
    const rude = { ...container, readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 } };
    await cluster.apply(deployment('rude', 6, { terminationGracePeriodSeconds: 30, containers: [rude] }), service('rude'));
    await untilRolledOut(cluster, 'deployment/rude');
    const { spec } = await cluster.client.get(serviceResource, { namespace: 'default', name: 'rude' });
    const urls = [`http://${spec?.clusterIP}/`];
    await Promise.all(cluster.nodes.map((h) => untilServed(h.name, (args) => h.ok('node', args), { urls })));
    const arguments_ = requestArguments({ count: 0, atOnce: 16, perSecond: 50 }, urls);
    const loads = await Promise.all(cluster.nodes.map((h) => followLoad(h.spawn('node', arguments_))));
    await cluster.kubectl('rollout restart deployment/rude');
    await untilRolledOut(cluster, 'deployment/rude');
    await readyPods(cluster, 'rude', 6);
    const tallies = await Promise.all(loads.map((l) => l.end()));
    figure(
      'rollout of a program that dies at SIGTERM',
      `${tallies.reduce((n, t) => n + t.answered, 0)} answered, lost ${tallies.reduce((n, t) => n + failures(t), 0)}`,
    );
    tallies.forEach((t, i) => expectAll(t, `from host ${cluster.nodes[i]?.name}`));
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { node as nodeResource, type Pod } from '@skiff/api';
import { hasReason } from '@skiff/apimachinery';
import { eventually, splitWords } from '../e2e/support/cluster.ts';
import { testImages } from '../e2e/support/images.ts';
import type { Host } from '../lab/host.ts';
import { joinHost, startCluster, type HostsCluster } from './support/cluster.ts';
import {
  describePod,
  figure,
  isReady,
  nodeReady,
  podsOf,
  readyPods,
  runningPods,
  seconds,
  uids,
  untilRolledOut,
} from './support/observe.ts';
import { deployment } from './support/workloads.ts';

describe('hosts join and leave', () => {
  let cluster: HostsCluster;
  let h1: Host;
  let h2: Host;
  let h3: Host;
  let address = '';
  let pin = '';

  beforeAll(async () => {
    cluster = await startCluster({ name: 'join', hosts: 3, members: 1, up: ['--node-monitor-grace-period=20s'] });
    [h1, h2, h3] = [cluster.lab.host(0), cluster.lab.host(1), cluster.lab.host(2)];
    const words = splitWords(await token('--print-join-command'));
    address = words[2] ?? '';
    pin = words.at(-1) ?? '';
  });
  afterAll(() => cluster?.close());

  const token = async (...flags: string[]): Promise<string> => (await h1.ok('skiff', ['token', 'create', ...flags])).trim();
  const isGone = (name: string): Promise<boolean> =>
    cluster.client.get(nodeResource, { name }).then(
      () => false,
      (error: unknown) => {
        if (!hasReason(error, 'NotFound')) throw error;
        return true;
      },
    );
  /** Replicas that run, by node. */
  const placed = async (app: string): Promise<Readonly<Record<string, number>>> => {
    const nodes = (await podsOf(cluster, app)).filter(isReady).map((p) => p.spec?.nodeName ?? '');
    return Object.fromEntries([...new Set(nodes)].sort().map((n) => [n, nodes.filter((x) => x === n).length]));
  };
  const engineIds = async (host: Host): Promise<readonly string[]> => (await host.docker.listContainers()).map((c) => c.Id).sort();

  describe('what is refused', () => {
    const never = 'zzzzzz.0123456789abcdef';
    /** Arguments with the words GOOD (a token), PIN and ADDRESS in them; exit code; what is said. */
    const cases: readonly (readonly [string, string, number, RegExp])[] = [
      ['an unknown token', `ADDRESS --token ${never} PIN`, 4, /knows no token "zzzzzz"/],
      ['a forged secret', 'ADDRESS --token FORGED PIN', 4, /its secret is not the one/],
      ['another CA', `ADDRESS --token GOOD --discovery-token-ca-cert-hash sha256:${'a'.repeat(64)}`, 4, /is not the one that was pinned/],
      ['no pin', 'ADDRESS --token GOOD', 2, /discovery-token-ca-cert-hash is needed/],
      ['a port that nobody listens on', '10.200.0.11:6444 --token GOOD PIN', 3, /the connection is refused/],
      ['a server that is no apiserver', '10.200.0.11:10250 --token GOOD PIN', 3, /does not answer like an apiserver/],
      ['a name that does not resolve', 'nowhere.invalid:6443 --token GOOD PIN', 3, /can’t be resolved|is not known/],
      ['plain HTTP', '10.200.0.11:8080 --token GOOD PIN', 3, /does not speak TLS/],
      ['an address without a port', '10.200.0.11 --token GOOD PIN', 2, /give host:port/],
      ['the name of a node that lives', 'ADDRESS --token GOOD PIN --node-name h1', 5, /has a node "h1" already, and it is Ready/],
      ['a name that nodes can’t have', 'ADDRESS --token GOOD PIN --node-name My_Host', 2, /can't be the name of a node/],
      ['a token for signing only', 'ADDRESS --token SIGNING PIN', 4, /does not accept the token/],
      ['an expired token', 'ADDRESS --token EXPIRED PIN', 4, /or it has expired/],
    ];
    let tokens: Readonly<Record<string, string>> = {};

    beforeAll(async () => {
      const good = await token();
      const expired = await token('--ttl', '1s');
      tokens = {
        GOOD: good,
        FORGED: `${good.split('.')[0]}.0123456789abcdef`,
        SIGNING: await token('--usages', 'signing'),
        EXPIRED: expired,
        ADDRESS: address,
        PIN: `--discovery-token-ca-cert-hash ${pin}`,
      };
      h1.spawn('node', ['-e', "require('http').createServer((q, a) => a.end('hello')).listen(8080)"]);
      const expiredId = expired.split('.')[0] ?? '';
      await eventually('the expired token is gone, and what was signed with it', async () => {
        const known = await h1.ok('skiff', ['token', 'list']);
        return !`${known}${await cluster.kubectl('get configmap -n kube-public cluster-info -o yaml')}`.includes(expiredId);
      });
      await eventually('plain HTTP answers', async () => (await h2.run('curl', ['-s', 'http://10.200.0.11:8080'])).stdout === 'hello');
    });

    it.each(cases)('%s', async (_what, line, code, said) => {
      const args = line.replace(/[A-Z]{3,}/g, (word) => tokens[word] ?? word);
      const result = await h2.run('skiff', ['join', ...splitWords(args)], { timeoutMs: 60_000 });
      expect(`${result.stdout}${result.stderr}`).toMatch(said);
      expect(result.code).toBe(code);
    });

    it('a host that is no root’s; and none of this leaves a trace', async () => {
      const asNobody = [
        '-u',
        'nobody',
        '--',
        '/bin/sh',
        '-c',
        `skiff join ${address} --token ${tokens['GOOD']} --discovery-token-ca-cert-hash ${pin}`,
      ];
      const result = await h2.run('runuser', asNobody);
      expect(`${result.stdout}${result.stderr}`).toContain('has to be run as root');
      expect(result.code).toBe(2);
      expect((await h2.run('ls', ['/var/lib/skiff'])).code).not.toBe(0);
      expect(await h2.docker.listContainers({ all: true })).toEqual([]);
    });
  });

  it('an installed host joins in seconds; the API reaches its kubelet under a certificate of the cluster', async () => {
    const [a, b] = await Promise.all([joinHost(h1, h2), joinHost(h1, h3)]);
    figure('join of two hosts at once', `${seconds(a)}, ${seconds(b)}`);
    expect((await cluster.kubectl('get nodes --no-headers')).match(/ Ready /g)?.length).toBe(3);
    await eventually('kubelets answer', async () => (await cluster.tryKubectl('get --raw /api/v1/nodes/h2/proxy/healthz')).stdout === 'ok');
    const again = await h2.run('skiff', ['join', address, '--token', await token(), '--discovery-token-ca-cert-hash', pin]);
    expect(again.stderr).toContain('This host is in a cluster already');
    expect(again.code).toBe(5);
    await cluster.apply(deployment('web', 6));
    await untilRolledOut(cluster, 'deployment/web');
    expect(Object.keys(await placed('web'))).toEqual(['h1', 'h2', 'h3']);
  });

  it('kubectl cordons, drains and uncordons it', async () => {
    await cluster.kubectl('drain h3 --ignore-daemonsets --timeout=80s');
    await readyPods(cluster, 'web', 6);
    expect(Object.keys(await placed('web'))).toEqual(['h1', 'h2']);
    expect(await runningPods(h3, 'web')).toEqual([]);
    await cluster.kubectl('uncordon h3');
  });

  it('comes back after a power cut with one command', async () => {
    const onH2 = async (): Promise<readonly Pod[]> => (await podsOf(cluster, 'web')).filter((p) => p.spec?.nodeName === 'h2');
    const before = uids(await onH2());
    await h2.kill();
    await h2.start();
    const { ms } = await h2.runOk('skiff', ['join']);
    figure('start again after a reboot', seconds(ms));
    expect(await nodeReady(cluster, h2)).toBe(true);
    let there: readonly Pod[] = [];
    await eventually('its pods run again', async () => {
      there = await onH2();
      return there.length > 0 && there.every((p) => isReady(p) && (p.status?.containerStatuses?.[0]?.restartCount ?? 0) > 0);
    }).catch((error: unknown) => {
      throw new Error(`its pods don't run again:\n${there.map(describePod).join('; ')}`, { cause: error });
    });
    expect(uids(there)).toEqual(before);
  });

  it('a Node that was deleted stays so until its host is started anew', async () => {
    await cluster.kubectl('delete node h3');
    const status = await h3.run('skiff', ['status']);
    expect(status.stdout).toContain('the cluster has no such node');
    expect(status.code).toBe(1);
    // The kubelet looks at its Node every ten seconds at the latest; its own word says that it knows.
    await eventually('the kubelet knows', async () =>
      (await h3.ok('cat', ['/var/lib/skiff/log/kubelet.log'])).includes('the Node object was deleted'),
    );
    expect(await isGone('h3')).toBe(true);
    await h3.ok('skiff', ['join']);
    expect(await nodeReady(cluster, h3)).toBe(true);
  });

  it('is known by another address once it has one', async () => {
    await h3.ok('skiff', ['down']);
    await h3.ok('sh', ['-c', 'ip addr flush dev eth0 && ip addr add 10.200.0.33/24 dev eth0 && ip route add default via 10.200.0.1']);
    const said = await h3.ok('skiff', ['join']);
    expect(said).toContain('has changed from 10.200.0.13 to 10.200.0.33');
    await eventually(
      'its kubelet answers there',
      async () => (await cluster.tryKubectl('get --raw /api/v1/nodes/h3/proxy/healthz')).stdout === 'ok',
    );
    expect(await cluster.kubectl('get node h3 -o jsonpath={.status.addresses[0].address}')).toBe('10.200.0.33');
    const serving = ['x509', '-noout', '-ext', 'subjectAltName', '-in', '/var/lib/skiff/pki/kubelet-serving.pem'];
    await eventually('its certificate is for it', async () => (await h3.ok('openssl', serving)).includes('IP Address:10.200.0.33'));
    await cluster.kubectl('scale deployment/web --replicas=9');
    await untilRolledOut(cluster, 'deployment/web');
    expect((await placed('web'))['h3']).toBeGreaterThan(0);
  });

  it('a host that lost its folder joins under its name and takes over what runs', async () => {
    const before = await engineIds(h3);
    const [program = '', ...args] = splitWords(await token('--print-join-command'));
    // At once: nobody hears of its node any more, and it counts as lost after 20 s.
    const refused = await h3.run('sh', [
      '-ec',
      `skiff down; for m in $(cut -d" " -f5 /proc/self/mountinfo | grep ^/var/lib/skiff/); do umount $m; done; rm -rf /var/lib/skiff; ${[program, ...args].join(' ')}`,
    ]);
    expect(refused.stderr).toContain('has a node "h3" already, and it is Ready');
    expect(refused.code).toBe(5);
    await eventually('the node counts as lost', async () => !(await nodeReady(cluster, h3)), 90_000);
    await h3.ok(program, args);
    expect(await nodeReady(cluster, h3)).toBe(true);
    expect(await engineIds(h3)).toEqual(before);
  });

  it('leaves when its pods have a place elsewhere, honouring their budgets, and leaves nothing behind', async () => {
    await cluster.kubectl('create poddisruptionbudget web --selector=app=web --min-available=8');
    await cluster.kubectl(
      `run alone --image=${testImages.busybox} --overrides={"spec":{"nodeName":"h3","terminationGracePeriodSeconds":0}} -- sleep 3600`,
    );
    await cluster.kubectl('wait --for=condition=Ready pod/alone --timeout=80s');
    const refused = await h3.run('skiff', ['leave']);
    expect(refused.stderr).toContain('--force gives them up: default/alone');
    expect(refused.code).toBe(5);
    expect(await nodeReady(cluster, h3)).toBe(true);
    await cluster.kubectl('delete pod alone');
    const { ms } = await h3.runOk('skiff', ['leave']);
    figure('leave with pods under a budget', seconds(ms));
    expect(await isGone('h3')).toBe(true);
    await readyPods(cluster, 'web', 9);
    expect(Object.keys(await placed('web'))).toEqual(['h1', 'h2']);
    expect(await h3.docker.listContainers({ all: true })).toEqual([]);
    // Links of namespaces that are gone go when the kernel gets to it.
    await eventually('nothing is left', async () => {
      const traces = await h3.ok('sh', [
        '-c',
        'ls /var/lib/skiff 2>/dev/null; ls -d /var/lib/kubelet 2>/dev/null; ip -br link; ip route; ip netns; iptables-save; ls /var/log/pods 2>/dev/null',
      ]);
      const left = traces.split('\n').filter((l) => /skiff|kubelet|sk[a-z]-|skp|10\.244|10\.96/i.test(l));
      if (left.length > 0) throw new Error(left.join('\n'));
      return true;
    });
  });

  it('joins again under another name', async () => {
    await joinHost(h1, h3, ['--node-name', 'other']);
    const nodes = await cluster.kubectl('get nodes -o name');
    expect(nodes.trim().split('\n').sort()).toEqual(['node/h1', 'node/h2', 'node/other']);
  });

  it('a control plane that has another address is found there; nothing that runs is touched', { timeout: 400_000 }, async () => {
    await readyPods(cluster, 'web', 9);
    const before = await Promise.all([h1, h2, h3].map(engineIds));
    await h1.ok('skiff', ['down']);
    await h1.ok('sh', ['-c', 'ip addr flush dev eth0 && ip addr add 10.200.0.51/24 dev eth0 && ip route add default via 10.200.0.1']);
    expect(await h1.ok('skiff', ['up'])).toContain('has changed from 10.200.0.11 to 10.200.0.51');
    await Promise.all([h2, h3].map((h) => h.ok('skiff', ['join', '10.200.0.51:6443'])));
    expect((await cluster.kubectl('get nodes --no-headers')).match(/ Ready /g)?.length).toBe(3);
    await eventually('kubelets answer', async () => (await cluster.tryKubectl('get --raw /api/v1/nodes/h2/proxy/healthz')).stdout === 'ok');
    expect(await Promise.all([h1, h2, h3].map(engineIds))).toEqual(before);
  });

  it('a host whose engine is not running joins all the same', async () => {
    await h3.ok('skiff', ['leave']);
    await h3.stopEngine();
    figure('join that starts the engine', seconds(await joinHost(h1, h3)));
    expect(await nodeReady(cluster, h3)).toBe(true);
  });
});

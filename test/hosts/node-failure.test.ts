import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { node as nodeResource, type Node, type Pod } from '@skiff/api';
import { eventually } from '../e2e/support/cluster.ts';
import type { Host } from '../lab/host.ts';
import { startCluster, type HostsCluster } from './support/cluster.ts';
import {
  figure,
  isReady,
  nodeReady,
  podsOf,
  readyEndpoints,
  runningPods,
  seconds,
  timed,
  uids,
  untilRolledOut,
} from './support/observe.ts';
import { deployment, service, statefulSet } from './support/workloads.ts';

const graceSeconds = 9;
const replicas = 4;
/** Where the pods of the identity may live: on the third host alone, whatever its taints say. */
const pinned = {
  nodeName: undefined,
  nodeSelector: { 'kubernetes.io/hostname': 'h3' },
  tolerations: [{ operator: 'Exists' }],
  terminationGracePeriodSeconds: 3,
};

/** Names of nodes that were not Ready, as long as it follows. */
async function followNotReady(cluster: HostsCluster): Promise<{ end(): Promise<readonly string[]> }> {
  const abort = new AbortController();
  const seen = new Set<string>();
  const { metadata } = await cluster.client.list(nodeResource);
  const following = (async (): Promise<void> => {
    const events = cluster.client.watch(nodeResource, undefined, {
      resourceVersion: metadata?.resourceVersion ?? '0',
      signal: abort.signal,
    });
    for await (const { object } of events) {
      const ready = (object as Node).status?.conditions?.find((c) => c.type === 'Ready');
      if (ready?.status !== 'True') seen.add(`${object.metadata?.name ?? ''}: ${ready?.status ?? ''}`);
    }
  })();
  return {
    async end() {
      abort.abort(new Error('seen enough'));
      await following.catch((error: unknown) => {
        if (!abort.signal.aborted) throw error;
      });
      return [...seen];
    },
  };
}

/** Stops a process of Skiff on a host, as a machine that sleeps does. Resolves with what lets it go on. */
async function pause(host: Host, component: string): Promise<() => Promise<void>> {
  const find = `ps ax -o pid= -o args= | awk '/packages.${component}.dist/ && !/awk/ { print $1 }'`;
  const pid = (await host.ok('sh', ['-c', find])).trim().split('\n')[0] ?? '';
  await host.ok('kill', ['-STOP', pid]);
  return async () => void (await host.ok('kill', ['-CONT', pid]));
}

const pass = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('nodes that fall silent', () => {
  let cluster: HostsCluster;
  let [h1, h2, h3]: Host[] = [];

  beforeAll(async () => {
    const up = [`--node-monitor-grace-period=${graceSeconds}s`, '--default-toleration-seconds=2'];
    cluster = await startCluster({ name: 'silence', hosts: 3, up });
    [h1, h2, h3] = cluster.nodes;
    await cluster.apply(deployment('web', replicas), statefulSet('db', 1, pinned), service('web'), service('db', { clusterIP: 'None' }));
    for (const name of ['deployment/web', 'statefulset/db']) await untilRolledOut(cluster, name);
  });
  afterAll(() => cluster?.close());

  const host = (h: Host | undefined): Host => {
    if (h === undefined) throw new Error('the cluster did not start');
    return h;
  };
  const restarts = (pods: readonly Pod[]): number => pods.reduce((n, p) => n + (p.status?.containerStatuses?.[0]?.restartCount ?? 0), 0);

  it('are not blamed for the silence of the apiserver, or of the controller', async () => {
    const before = uids(await podsOf(cluster, 'web'));
    for (const component of ['apiserver', 'controller-manager']) {
      const resume = await pause(host(h1), component);
      // Longer than any node may be silent.
      await pass(graceSeconds * 1500);
      await resume();
      await eventually('the API answers', async () => (await cluster.tryKubectl('get --raw /readyz')).code === 0);
      const notReady = await followNotReady(cluster);
      await pass(graceSeconds * 1000);
      expect(await notReady.end(), `after ${component} was stopped`).toEqual([]);
    }
    expect(uids(await podsOf(cluster, 'web'))).toEqual(before);
  });

  it('all at once, keep their pods in service', async () => {
    const before = await podsOf(cluster, 'web');
    const resumes = await Promise.all(cluster.nodes.map((h) => pause(h, 'kubelet')));
    const ready = async (): Promise<readonly boolean[]> => Promise.all(cluster.nodes.map((h) => nodeReady(cluster, h)));
    // What else it could be is long tried by then.
    const after = await timed('no node is Ready', async () => (await ready()).every((r) => !r));
    figure(`all nodes silent, marked after (grace period ${graceSeconds} s)`, seconds(after));
    expect(after).toBeGreaterThan(2 * graceSeconds * 1000);
    await pass(3000);
    const during = await podsOf(cluster, 'web');
    expect(during.every(isReady)).toBe(true);
    expect((await Promise.all(cluster.nodes.map((h) => readyEndpoints(cluster, 'web', h)))).flat()).toHaveLength(replicas);
    for (const resume of resumes) await resume();
    await eventually('all are Ready', async () => (await ready()).every((r) => r));
    const finally_ = await podsOf(cluster, 'web');
    expect(uids(finally_)).toEqual(uids(before));
    expect(restarts(finally_)).toBe(restarts(before));
  });

  it('one, loses its pods, and an identity that was given away by force is not doubled where it ran', async () => {
    const lost = host(h3);
    const [old] = await podsOf(cluster, 'db');
    expect(old?.spec?.nodeName).toBe(lost.name);
    const [before] = await lost.docker.listContainers({ filters: { name: ['k8s_main_db-0'] } });
    await cluster.lab.isolate(lost);
    const silent = await timed('its endpoints go', async () => (await readyEndpoints(cluster, 'web', lost)).length === 0);
    figure(`partition, endpoints removed after (grace period ${graceSeconds} s)`, seconds(silent));
    const elsewhere = async (): Promise<boolean> =>
      (await podsOf(cluster, 'web')).filter((p) => isReady(p) && p.spec?.nodeName !== lost.name).length === replicas;
    figure('partition, all replicas elsewhere after another (tolerated 2 s)', seconds(await timed('replicas', elsewhere)));
    // Not evicted: it tolerates everything. An administrator believes the machine dead.
    await cluster.kubectl('delete pod db-0 --force --grace-period=0');
    await eventually('a successor waits for the host', async () => {
      const [now] = await podsOf(cluster, 'db');
      return now !== undefined && now.metadata?.uid !== old?.metadata?.uid && now.spec?.nodeName === lost.name;
    });
    // It was not dead.
    expect(await runningPods(lost, 'db')).toEqual(['db-0']);
    await cluster.lab.heal();
    figure('healed, the successor runs after', seconds(await timed('db-0', async () => (await podsOf(cluster, 'db')).every(isReady))));
    expect(await runningPods(lost, 'db')).toEqual(['db-0']);
    const [after] = await lost.docker.listContainers({ filters: { name: ['k8s_main_db-0'] } });
    expect(after?.Id).not.toBe(before?.Id);
    // The one ended before the other began: the engine's own account of it.
    const until = Math.floor(Date.now() / 1000) + 1;
    const events = await lost.ok('docker', [
      'events',
      '--since',
      '10m',
      '--until',
      `${until}`,
      '--filter',
      'type=container',
      '--format',
      '{{.TimeNano}} {{.Action}} {{.ID}}',
    ]);
    const at = (action: string, id: string | undefined): bigint => {
      const line = events.split('\n').find((l) => l.includes(` ${action} `) && l.endsWith(id ?? '-'));
      if (line === undefined) throw new Error(`no "${action}" of ${id ?? 'a container'} in:\n${events}`);
      return BigInt(line.split(' ')[0] ?? '');
    };
    expect(at('die', before?.Id)).toBeLessThan(at('start', after?.Id));
    // What the controllers moved away is not there any more.
    await eventually('only what the API knows runs', async () => {
      const known = (await podsOf(cluster, 'web')).filter((p) => p.spec?.nodeName === lost.name).map((p) => p.metadata?.name ?? '');
      return (await runningPods(lost, 'web')).every((p) => known.includes(p));
    });
  });

  it('see and touch nothing but their own', async () => {
    const node = host(h2);
    const as = async (args: string): Promise<string> => {
      const { stdout, stderr } = await node.tryKubectl(`--kubeconfig /var/lib/skiff/kubeconfig/kubelet.conf ${args}`);
      return (stdout + stderr).trim();
    };
    await cluster.kubectl('create secret generic private --from-literal=a=b');
    expect(await as('get secret private')).toContain("no relationship found between node 'h2' and this object");
    expect(await as('get secrets')).toContain('secrets is forbidden: User "system:node:h2" cannot list resource "secrets"');
    expect(await as('get pods -A')).toContain('can only list/watch pods with spec.nodeName field selector');
    expect(await as('get pods -A --field-selector spec.nodeName=h2 -o name')).toMatch(/^pod\/web-/m);
    expect(await as('get node h3')).toContain("node 'h2' cannot read 'h3', only its own Node object");
    expect(await as('label node h2 node-role.kubernetes.io/control-plane=')).toContain(
      'is not allowed to modify labels: node-role.kubernetes.io/control-plane',
    );
    expect(await as('delete node h3')).toContain('User "system:node:h2" cannot delete resource "nodes"');
    expect(await as('delete pod db-0')).toContain('node "h2" can only delete pods with spec.nodeName set to itself');
    expect(await as('create token default')).toContain('node requested token not bound to a pod');
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { service as serviceResource, type Pod } from '@skiff/api';
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
import { failures, followLoad, requestArguments, type Load, type Tally } from './support/requests.ts';
import { daemonSet, deployment, service, statefulSet } from './support/workloads.ts';

/** How long the control plane is away: longer than leases (40 s) and the patience with silent nodes (50 s) together. */
const awaySeconds = Number(process.env['SKIFF_AWAY_SECONDS'] ?? 120);
const replicas = 6;

/** Pods that don't wait for five minutes before they are replaced elsewhere. */
const impatient = {
  tolerations: ['not-ready', 'unreachable'].map((condition) => ({
    key: `node.kubernetes.io/${condition}`,
    operator: 'Exists',
    effect: 'NoExecute',
    tolerationSeconds: 3,
  })),
};

describe('three hosts', () => {
  let cluster: HostsCluster;
  let [h1, h2, h3]: Host[] = [];
  let url = '';

  beforeAll(async () => {
    cluster = await startCluster({ name: 'faults', hosts: 3 });
    [h1, h2, h3] = cluster.nodes;
    await cluster.apply(
      deployment('web', replicas, impatient),
      statefulSet('db', 3, { ...impatient, affinity: apart('db') }),
      daemonSet('agent'),
      service('web'),
      service('db', { clusterIP: 'None' }),
    );
    for (const name of ['deployment/web', 'statefulset/db', 'daemonset/agent']) await untilRolledOut(cluster, name);
    const web = await cluster.client.get(serviceResource, { namespace: 'default', name: 'web' });
    url = `http://${web.spec?.clusterIP}/`;
  });
  afterAll(() => cluster?.close());

  const host = (h: Host | undefined): Host => {
    if (h === undefined) throw new Error('the cluster did not start');
    return h;
  };
  const load = (from: Host | undefined): Promise<Load> =>
    followLoad(host(from).spawn('node', requestArguments({ count: 0, atOnce: 50, perSecond: 50, timeoutMs: 30_000 }, [url])));
  const report = (story: string, tally: Tally): void =>
    figure(
      `${story}, requests lost`,
      `${failures(tally)} of ${failures(tally) + tally.answered} ${JSON.stringify(tally.failed)}; slowest ${seconds(tally.slowestMs)}`,
    );
  const onHost = async (app: string, h: Host | undefined): Promise<readonly Pod[]> =>
    (await podsOf(cluster, app)).filter((p) => p.spec?.nodeName === h?.name);
  const serving = async (): Promise<readonly Pod[]> => (await podsOf(cluster, 'web')).filter(isReady);

  it('serve, resolve, probe and restart while the control plane is stopped', { timeout: 400_000 }, async () => {
    const before = uids(await podsOf(cluster, 'web'));
    const client = (await onHost('agent', h3))[0]?.metadata?.name ?? '';
    // Not one that serves the load: what it was answering when it is killed would be lost by right.
    const victim = (await onHost('agent', h2))[0]?.metadata?.name ?? '';
    const loads = await Promise.all([load(h2), load(h3)]);
    await host(h1).ok('skiff', ['down']);
    const stopped = performance.now();

    // A container dies: the kubelet starts it again by itself.
    const containers = async (): Promise<readonly string[]> =>
      (await host(h2).docker.listContainers({ filters: { name: [`k8s_main_${victim}_`] } })).map((c) => c.Id);
    const [first = ''] = await containers();
    await host(h2).docker.getContainer(first).kill();
    figure(
      'control plane stopped, container restarted after',
      seconds(
        await timed('another container', async () => {
          const [now] = await containers();
          return now !== undefined && now !== first;
        }),
      ),
    );
    // Pods resolve names and reach Services, for as long as it takes.
    const inside = (await host(h3).docker.listContainers({ filters: { name: [`k8s_main_${client}_`] } }))[0]?.Id ?? '';
    do {
      const answer = await host(h3).ok('docker', [
        'exec',
        inside,
        'node',
        ...requestArguments({ count: 20, timeoutMs: 30_000 }, ['http://web/']),
      ]);
      expect(answer).toContain('"answered":20,');
    } while (performance.now() - stopped < awaySeconds * 1000);

    await host(h1).ok('skiff', ['up']);
    for (const one of loads) {
      const tally = await one.end();
      report(`control plane stopped for ${awaySeconds} s`, tally);
      expect(tally.failed).toEqual({});
    }
    // Its return is no reason to move or to replace anything.
    for (const h of cluster.nodes) await eventually(`${h.name} is Ready`, () => nodeReady(cluster, h));
    expect(uids(await podsOf(cluster, 'web'))).toEqual(before);
  });

  it('replace the pods of a host that nobody hears, and never double a StatefulSet’s', async () => {
    const lost = host(h3);
    const [identity] = await onHost('db', lost);
    const name = identity?.metadata?.name ?? '';
    const abandoned = await runningPods(lost, 'web');
    expect(abandoned.length).toBeGreaterThan(0);
    const running = await load(h2);
    await cluster.lab.isolate(lost);

    figure(
      'partition, endpoints removed after',
      seconds(await timed('no endpoint there', async () => (await readyEndpoints(cluster, 'web', lost)).length === 0)),
    );
    expect(await nodeReady(cluster, lost)).toBe(false);
    figure(
      'partition, all replicas elsewhere after another',
      seconds(await timed('replicas', async () => (await serving()).length === replicas)),
    );
    expect((await serving()).filter((p) => p.spec?.nodeName === lost.name)).toEqual([]);
    report('partition', await running.end());

    // Nobody knows whether it still runs (it does): its name is not given to another.
    const kept = (await podsOf(cluster, 'db')).filter((p) => p.metadata?.name === name);
    expect(uids(kept)).toEqual(uids([identity as Pod]));
    expect(await runningPods(lost, 'db')).toEqual([name]);
    expect([...(await runningPods(lost, 'web'))].sort()).toEqual([...abandoned].sort());

    await cluster.lab.heal();
    let most = 0;
    figure(
      'healed, Ready and cleaned up after',
      seconds(
        await timed('only what the API knows runs', async () => {
          const copies = (await Promise.all(cluster.nodes.map((h) => runningPods(h, 'db')))).flat().filter((p) => p === name).length;
          most = Math.max(most, copies);
          const db = (await podsOf(cluster, 'db')).filter(isReady);
          const left = (await runningPods(lost, 'web')).filter((p) => abandoned.includes(p));
          return (
            left.length === 0 &&
            (await nodeReady(cluster, lost)) &&
            db.length === 3 &&
            uids(db).every((uid) => uid !== identity?.metadata?.uid)
          );
        }),
      ),
    );
    expect(most).toBeLessThanOrEqual(1);
  });

  it('lose few requests when a host that serves loses power', async () => {
    const lost = host(h2);
    await cluster.kubectl('rollout restart deployment/web');
    await untilRolledOut(cluster, 'deployment/web');
    const there = await onHost('web', lost);
    expect(there.length).toBeGreaterThan(0);
    const running = await load(h3);
    await lost.kill();
    figure(
      'host lost, endpoints removed after',
      seconds(await timed('no endpoint there', async () => (await readyEndpoints(cluster, 'web', lost)).length === 0)),
    );
    figure(
      'host lost, all replicas elsewhere after another',
      seconds(await timed('replicas', async () => (await serving()).length === replicas)),
    );
    const tally = await running.end();
    report('host lost', tally);
    // In flight at that moment: at most what the host was answering.
    expect(failures(tally)).toBeLessThanOrEqual(50);

    await lost.start();
    const back = await lost.runOk('skiff', ['join']);
    figure('host lost, back with `skiff join` in', seconds(back.ms));
    await eventually('its pods are gone or run', async () => {
      const known = (await podsOf(cluster, 'web')).map((p) => p.metadata?.name ?? '');
      return (await runningPods(lost, 'web')).every((p) => known.includes(p)) && (await onHost('web', lost)).every(isReady);
    });
  });

  it('take a reboot: the same pods run again, with network', async () => {
    const rebooted = host(h3);
    const agents = (): Promise<readonly Pod[]> => onHost('agent', rebooted);
    await eventually('the agent runs', async () => (await agents()).length === 1 && (await agents()).every(isReady));
    const [agent] = await agents();
    await rebooted.kill();
    await rebooted.start();
    const back = await rebooted.runOk('skiff', ['join']);
    figure('reboot, `skiff join` took', seconds(back.ms));
    figure(
      'reboot, its pods Ready after another',
      seconds(
        await timed('the agent runs', async () => {
          const [now] = await onHost('agent', rebooted);
          return now !== undefined && isReady(now) && (now.status?.containerStatuses?.[0]?.restartCount ?? 0) > 0;
        }),
      ),
    );
    expect(uids(await onHost('agent', rebooted))).toEqual(uids([agent as Pod]));
    // A pod may be faster than the host's proxy, which starts beside it.
    const ask = `exec ${agent?.metadata?.name} -- node -e "require('http').get('http://web/', (r) => r.pipe(process.stdout))"`;
    await eventually('it resolves names and reaches Services', async () => (await cluster.kubectl(ask)).startsWith('1 web-'));
  });
});

/** No two pods of the app on one host. */
const apart = (app: string): object => ({
  podAntiAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: [{ labelSelector: { matchLabels: { app } }, topologyKey: 'kubernetes.io/hostname' }],
  },
});

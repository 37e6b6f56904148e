import { configMap, type Pod } from '@skiff/api';
import { createInformer, type Informer } from '@skiff/client';
import { silentLogger, systemClock } from '@skiff/component-base';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ConfigMap } from '@skiff/api';
import { eventually } from '../e2e/support/cluster.ts';
import type { Host } from '../lab/host.ts';
import { startCluster, type HostsCluster } from './support/cluster.ts';
import { figure, podsOf, runningPods, seconds } from './support/observe.ts';
import { deployment } from './support/workloads.ts';

const archive = '/var/lib/skiff/backups/story.tar';

describe('backup, disaster, restore', () => {
  let cluster: HostsCluster;
  let [control, worker]: Host[] = [];
  beforeAll(async () => {
    cluster = await startCluster({ name: 'restore', hosts: 2, up: ['--encrypt-secrets'] });
    [control, worker] = cluster.nodes;
  });
  afterAll(() => cluster?.close());

  const host = (h: Host | undefined): Host => {
    if (h === undefined) throw new Error('the cluster did not start');
    return h;
  };
  /** Id and start of each container of the app, on both hosts. */
  const containers = async (app: string): Promise<readonly string[]> => {
    const all = await Promise.all(
      cluster.nodes.map(async (h) => {
        const listed = await h.docker.listContainers({ filters: { name: [`k8s_main_${app}`] } });
        return await Promise.all(listed.map(async (c) => `${c.Id} ${(await h.docker.getContainer(c.Id).inspect()).State.StartedAt}`));
      }),
    );
    return all.flat().toSorted();
  };
  const uids = (pods: readonly Pod[]): readonly string[] => pods.map((p) => p.metadata?.uid ?? '').toSorted();
  const settled = (app: string): Promise<string> =>
    cluster.kubectl(`rollout status deployment/${app} --timeout=150s`, { timeoutMs: 170_000 });

  it('brings objects back, keeps what runs running, and nobody holds on to the lost future', async () => {
    await cluster.apply(deployment('kept', 4));
    await settled('kept');
    await cluster.client.create(configMap, { metadata: { name: 'deleted-later', namespace: 'default' } });
    const [containersBefore, podsBefore] = [await containers('kept'), uids(await podsOf(cluster, 'kept'))];
    expect([containersBefore.length, podsBefore.length]).toEqual([4, 4]);
    await host(control).ok('skiff', ['backup', '--output', archive]);

    // The future that will be lost: a workload, an object, and an object less.
    await cluster.apply(deployment('late', 2));
    await settled('late');
    await cluster.client.create(configMap, { metadata: { name: 'late', namespace: 'default' } });
    await cluster.client.delete(configMap, { namespace: 'default', name: 'deleted-later' });
    const stop = new AbortController();
    const informer: Informer<ConfigMap> = createInformer(
      configMap,
      { namespace: 'default' },
      { client: cluster.client, clock: systemClock, log: silentLogger },
    );
    const following = informer.run(stop.signal);
    await informer.synced;
    const revisionBefore = Number(informer.resourceVersion);
    expect(informer.get({ namespace: 'default', name: 'late' })).toBeDefined();

    // The disaster: no more etcd, with all its data; only empty folders are left.
    await host(control).ok('sh', ['-c', 'rm -rf /var/lib/skiff/etcd/member/*; kill -9 $(pidof etcd)']);
    // An empty etcd would have every kubelet end its pods.
    await eventually('etcd is not started without its data', async () => {
      const { stdout } = await host(control).run('skiff', ['status']);
      if (stdout.includes('✗ etcd: the data of etcd is gone')) return true;
      throw new Error(stdout);
    });
    const started = performance.now();
    await host(control).ok('skiff', ['restore', archive]);
    figure('restore, until the node is Ready', seconds(performance.now() - started));

    const object = await cluster.client.get(configMap, { namespace: 'default', name: 'deleted-later' });
    // No revision of the lost future is given out again.
    expect(Number(object.metadata?.resourceVersion)).toBeGreaterThan(revisionBefore + 1_000_000);
    await eventually('the informer has forgotten the lost future', async () => {
      const names = informer.list('default').map((c) => c.metadata?.name);
      return names.includes('deleted-later') && !names.includes('late');
    });
    stop.abort();
    await following;

    await eventually('the lost workload is gone from both hosts', async () => {
      const left = (await Promise.all(cluster.nodes.map((h) => runningPods(h, 'late')))).flat();
      if (left.length === 0) return true;
      throw new Error(`still there: ${left.join(', ')}`);
    });
    figure('restore, until the lost workload is gone', seconds(performance.now() - started));
    await settled('kept');
    expect(uids(await podsOf(cluster, 'kept'))).toEqual(podsBefore);
    expect(await containers('kept')).toEqual(containersBefore);
    // It is not only a picture of a cluster: the worker runs what is new.
    await cluster.apply(deployment('new', 2, { nodeName: host(worker).name }));
    await settled('new');
  });

  it('refuses what is torn, and then changes nothing', async () => {
    const torn = '/var/lib/skiff/backups/torn.tar';
    await host(control).ok('sh', ['-c', `head -c $(($(stat -c %s ${archive}) / 2)) ${archive} > ${torn}`]);
    const refused = await host(control).run('skiff', ['restore', torn]);
    expect([refused.code, refused.stderr]).toEqual([4, expect.stringMatching(/is torn|is damaged/)]);
    await settled('kept');
  });

  it('takes backups by itself and keeps the last ones', async () => {
    await host(control).ok('skiff', ['down']);
    await host(control).ok('skiff', ['up', '--backup-interval=10s', '--backup-retention=1', '--backup-dir=/var/lib/skiff/kept']);
    const kept = async (): Promise<readonly string[]> => (await host(control).ok('ls', ['/var/lib/skiff/kept'])).trim().split('\n');
    const [first = ''] = await eventually('a backup', async () => {
      const names = (await kept()).filter((n) => n.endsWith('.tar'));
      return names.length > 0 && names;
    });
    await eventually('only the next one', async () => {
      const names = (await kept()).filter((n) => n.endsWith('.tar'));
      return names.length === 1 && names[0] !== first;
    });
  });
});

import {
  controllerRevision,
  daemonSet,
  deployment,
  event,
  job,
  pod as pods,
  replicaSet,
  statefulSet,
  type Deployment,
  type Job,
  type Pod,
  type PodTemplateSpec,
  type ReplicaSet,
} from '@skiff/api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestCluster, type TestCluster } from './support/cluster.ts';
import { behaviour } from './support/hollow-nodes.ts';
import { until } from './support/until.ts';

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await startTestCluster();
});
afterAll(async () => {
  await cluster[Symbol.asyncDispose]();
});

const template = (app: string, o: { image?: string; wish?: string; restartPolicy?: string } = {}): PodTemplateSpec => ({
  metadata: { labels: { app }, ...(o.wish === undefined ? {} : { annotations: { [behaviour]: o.wish } }) },
  spec: {
    containers: [{ name: 'c', image: o.image ?? 'one' }],
    ...(o.restartPolicy === undefined ? {} : { restartPolicy: o.restartPolicy }),
  },
});
const web = (namespace: string, o: Partial<NonNullable<Deployment['spec']>> = {}): Deployment => ({
  metadata: { namespace, name: 'web' },
  spec: { replicas: 3, selector: { matchLabels: { app: 'web' } }, template: template('web'), ...o },
});
const images = (all: readonly Pod[]): string[] => all.map((p) => p.spec?.containers[0]?.image ?? '');
const available = (n: number) => (all: readonly Deployment[]) =>
  all[0]?.status?.availableReplicas === n &&
  all[0].status.updatedReplicas === n &&
  all[0].status.replicas === n &&
  all[0].status.observedGeneration === all[0].metadata?.generation;
const setImage = (image: string) => ({
  type: 'strategic' as const,
  body: { spec: { template: { spec: { containers: [{ name: 'c', image }] } } } },
});

describe('Deployment', () => {
  it('rolls out, back and along its history', async () => {
    const { client } = cluster;
    const namespace = await cluster.namespace();
    await client.create(deployment, web(namespace));
    await until(client, deployment, { namespace, holds: available(3) });
    await client.patch(deployment, { namespace, name: 'web' }, setImage('two'));
    const [second] = await until(client, deployment, {
      namespace,
      holds: (all) => available(3)(all) && all[0]?.metadata?.annotations?.['deployment.kubernetes.io/revision'] === '2',
    });
    expect(second?.status?.conditions?.map((c) => `${c.type} ${c.status} ${c.reason ?? ''}`).sort()).toEqual([
      'Available True MinimumReplicasAvailable',
      'Progressing True NewReplicaSetAvailable',
    ]);
    await client.patch(deployment, { namespace, name: 'web' }, setImage('one'));
    await until(client, deployment, {
      namespace,
      holds: (all) => available(3)(all) && all[0]?.metadata?.annotations?.['deployment.kubernetes.io/revision'] === '3',
    });
    const sets = await client.list(replicaSet, namespace);
    expect(
      sets.items
        .map((s) => [
          s.spec?.replicas,
          s.metadata?.annotations?.['deployment.kubernetes.io/revision'],
          s.metadata?.annotations?.['deployment.kubernetes.io/revision-history'],
        ])
        .sort((a, b) => Number(a[0]) - Number(b[0])),
    ).toEqual([
      [0, '2', undefined],
      [3, '3', '1'],
    ]);
    // Those that ended are counted no more before they are gone.
    await until(client, pods, { namespace, holds: (all) => images(all).join() === 'one,one,one' });
  });

  it('scales in proportion in the middle of a rollout that is stuck', async () => {
    const { client } = cluster;
    const namespace = await cluster.namespace();
    await client.create(
      deployment,
      web(namespace, { replicas: 10, strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 3, maxUnavailable: 2 } } }),
    );
    await until(client, deployment, { namespace, holds: available(10) });
    const bad = { type: 'strategic' as const, body: { spec: { template: { metadata: { annotations: { [behaviour]: 'unready' } } } } } };
    await client.patch(deployment, { namespace, name: 'web' }, bad);
    const sizes = (all: readonly ReplicaSet[]): string =>
      all
        .map((s) => s.spec?.replicas ?? 0)
        .sort((a, b) => b - a)
        .join('+');
    await until(client, replicaSet, {
      namespace,
      holds: (all) => sizes(all) === '8+5' && all.every((s) => s.status?.replicas === s.spec?.replicas),
    });
    await client.patch(deployment, { namespace, name: 'web' }, { type: 'merge', body: { spec: { replicas: 30 } } });
    await until(client, replicaSet, { namespace, holds: (all) => sizes(all) === '20+13' });
  });

  it('never runs old and new pods at once with Recreate', async () => {
    const { client } = cluster;
    const namespace = await cluster.namespace();
    await client.create(deployment, web(namespace, { strategy: { type: 'Recreate' } }));
    await until(client, deployment, { namespace, holds: available(3) });
    await client.patch(deployment, { namespace, name: 'web' }, setImage('two'));
    await until(client, pods, {
      namespace,
      holds: (all) => {
        expect(new Set(images(all)).size).toBeLessThanOrEqual(1);
        return all.length === 3 && images(all).every((i) => i === 'two');
      },
    });
  });
});

describe('ReplicaSet', () => {
  it('adopts what matches and releases what no longer does', async () => {
    const { client } = cluster;
    const namespace = await cluster.namespace();
    const orphan = await client.create(pods, {
      metadata: { namespace, name: 'orphan', labels: { app: 'web' } },
      spec: { containers: [{ name: 'c', image: 'i' }] },
    });
    await client.create(replicaSet, {
      metadata: { namespace, name: 'web' },
      spec: { replicas: 2, selector: { matchLabels: { app: 'web' } }, template: template('web') },
    });
    const all = await until(client, pods, {
      namespace,
      holds: (p) => p.length === 2 && p.every((x) => x.metadata?.ownerReferences?.[0]?.name === 'web'),
    });
    expect(all.some((p) => p.metadata?.uid === orphan.metadata?.uid)).toBe(true);
    await client.patch(pods, { namespace, name: 'orphan' }, { type: 'merge', body: { metadata: { labels: { app: 'other' } } } });
    const after = await until(client, pods, {
      namespace,
      holds: (p) => p.length === 3 && p.some((x) => x.metadata?.name === 'orphan' && (x.metadata.ownerReferences ?? []).length === 0),
    });
    expect(after.filter((p) => p.metadata?.labels?.['app'] === 'web')).toHaveLength(2);
  });
});

describe('StatefulSet', () => {
  it('creates upwards, updates downwards, and takes an old revision up again', async () => {
    const { client } = cluster;
    const namespace = await cluster.namespace();
    const order: string[] = [];
    const stop = new AbortController();
    const watching = (async () => {
      try {
        for await (const e of client.watch(pods, namespace, { resourceVersion: '', signal: stop.signal }))
          if (e.type === 'ADDED') order.push(e.object.metadata?.name ?? '');
      } catch (error) {
        if (!stop.signal.aborted) throw error;
      }
    })();
    await client.create(statefulSet, {
      metadata: { namespace, name: 'db' },
      spec: { replicas: 3, serviceName: 'db', selector: { matchLabels: { app: 'db' } }, template: template('db') },
    });
    const [first] = await until(client, statefulSet, { namespace, holds: (all) => all[0]?.status?.readyReplicas === 3 });
    await client.patch(statefulSet, { namespace, name: 'db' }, setImage('two'));
    await until(client, statefulSet, {
      namespace,
      holds: (all) => all[0]?.status?.currentRevision !== first?.status?.currentRevision && all[0]?.status?.updatedReplicas === 3,
    });
    await client.patch(statefulSet, { namespace, name: 'db' }, setImage('one'));
    await until(client, statefulSet, {
      namespace,
      holds: (all) => all[0]?.status?.currentRevision === first?.status?.currentRevision && all[0]?.status?.updatedReplicas === 3,
    });
    // The other watch may be behind.
    await expect.poll(() => order.length).toBe(9);
    stop.abort();
    await watching;
    expect(order).toEqual(['db-0', 'db-1', 'db-2', 'db-2', 'db-1', 'db-0', 'db-2', 'db-1', 'db-0']);
    const revisions = (await client.list(controllerRevision, namespace)).items;
    expect(revisions.map((r) => r.revision).sort((a, b) => a - b)).toEqual([2, 3]);
  });
});

describe('DaemonSet', () => {
  it('runs one pod on each node and replaces one that failed', async () => {
    const { client } = cluster;
    const namespace = await cluster.namespace();
    await client.create(daemonSet, {
      metadata: { namespace, name: 'agent' },
      spec: { selector: { matchLabels: { app: 'agent' } }, template: template('agent') },
    });
    await until(client, daemonSet, { namespace, holds: (all) => all[0]?.status?.numberAvailable === 2 });
    const [victim] = (await client.list(pods, namespace)).items;
    await client.patch(
      pods,
      { namespace, name: victim?.metadata?.name ?? '' },
      { type: 'merge', subresource: 'status', body: { status: { phase: 'Failed' } } },
    );
    const all = await until(client, pods, {
      namespace,
      holds: (p) => p.length === 2 && p.every((x) => x.status?.phase === 'Running' && x.metadata?.uid !== victim?.metadata?.uid),
    });
    expect(new Set(all.map((p) => p.spec?.nodeName)).size).toBe(2);
  });
});

describe('Job', () => {
  const work = (namespace: string, wish: string, spec: Partial<NonNullable<Job['spec']>>): Job => ({
    metadata: { namespace, name: 'work' },
    spec: { template: template('work', { wish, restartPolicy: 'Never' }), ...spec },
  });
  const ended = (all: readonly Job[]): boolean =>
    (all[0]?.status?.conditions ?? []).some((c) => (c.type === 'Complete' || c.type === 'Failed') && c.status === 'True');

  it('completes each index once and lets its pods go', async () => {
    const { client } = cluster;
    const namespace = await cluster.namespace();
    await client.create(job, work(namespace, 'exit 0', { completions: 4, parallelism: 2, completionMode: 'Indexed' }));
    const [done] = await until(client, job, { namespace, holds: ended });
    expect(done?.status).toMatchObject({ succeeded: 4, completedIndexes: '0-3', terminating: 0, ready: 0 });
    expect(done?.status?.conditions?.map((c) => c.type)).toEqual(['SuccessCriteriaMet', 'Complete']);
    const all = (await client.list(pods, namespace)).items;
    expect(new Set(all.map((p) => p.metadata?.annotations?.['batch.kubernetes.io/job-completion-index']))).toEqual(
      new Set(['0', '1', '2', '3']),
    );
    expect(all).toHaveLength(4);
    expect(all.flatMap((p) => p.metadata?.finalizers ?? [])).toEqual([]);
  });

  it('fails beyond its back-off limit', async () => {
    const { client } = cluster;
    const namespace = await cluster.namespace();
    await client.create(job, work(namespace, 'exit 3', { backoffLimit: 0 }));
    const [failed] = await until(client, job, { namespace, holds: ended });
    expect(failed?.status?.conditions?.map((c) => `${c.type} ${c.reason ?? ''}`)).toEqual([
      'FailureTarget BackoffLimitExceeded',
      'Failed BackoffLimitExceeded',
    ]);
    await until(client, event, { namespace, holds: (all) => all.some((e) => e.reason === 'BackoffLimitExceeded' && e.type === 'Warning') });
  });
});

import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import {
  AppsV1Api,
  CoreV1Api,
  Exec,
  KubeConfig,
  KubernetesObjectApi,
  Log,
  makeInformer,
  PatchStrategy,
  Watch,
  type V1ConfigMap,
} from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { connect, eventually, type RunningCluster } from './support/cluster.ts';
import { testImages } from './support/images.ts';

/** The client that the Kubernetes project keeps for JavaScript, as it comes. */
describe('@kubernetes/client-node', () => {
  const ns = 'story-client-node';
  const config = new KubeConfig();
  let cluster: RunningCluster;
  beforeAll(async () => {
    cluster = connect(inject('place'));
    config.loadFromFile(cluster.kubeconfig);
    await config.makeApiClient(CoreV1Api).createNamespace({ body: { metadata: { name: ns } } });
  });
  afterAll(async () => {
    await config.makeApiClient(CoreV1Api).deleteNamespace({ name: ns });
    cluster.client.close();
  });

  it('keeps an informer in step: adds, changes, deletions', async () => {
    const core = config.makeApiClient(CoreV1Api);
    await core.createNamespacedConfigMap({ namespace: ns, body: { metadata: { name: 'before' }, data: { n: '0' } } });
    const seen: string[] = [];
    const informer = makeInformer<V1ConfigMap>(config, `/api/v1/namespaces/${ns}/configmaps`, () =>
      core.listNamespacedConfigMap({ namespace: ns }),
    );
    const note = (what: string) => (o: V1ConfigMap) => {
      if (o.metadata?.name !== 'kube-root-ca.crt') seen.push(`${what} ${o.metadata?.name} ${o.data?.['n']}`);
    };
    informer.on('add', note('add'));
    informer.on('update', note('update'));
    informer.on('delete', note('delete'));
    await informer.start();
    await core.createNamespacedConfigMap({ namespace: ns, body: { metadata: { name: 'later' }, data: { n: '1' } } });
    const found = await core.readNamespacedConfigMap({ name: 'later', namespace: ns });
    await core.replaceNamespacedConfigMap({ name: 'later', namespace: ns, body: { metadata: found.metadata ?? {}, data: { n: '2' } } });
    await core.deleteNamespacedConfigMap({ name: 'later', namespace: ns });
    await eventually('all events', () => Promise.resolve(seen.length >= 4));
    await informer.stop();
    expect(seen).toEqual(['add before 0', 'add later 1', 'update later 2', 'delete later 2']);
    expect(informer.get('before', ns)?.data).toEqual({ n: '0' });
  });

  it('applies like a package manager: server-side, with conflicts and force', async () => {
    const objects = KubernetesObjectApi.makeApiClient(config);
    const deployment = (replicas: number) => ({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'released', namespace: ns },
      spec: {
        replicas,
        selector: { matchLabels: { app: 'released' } },
        template: {
          metadata: { labels: { app: 'released' } },
          spec: { containers: [{ name: 'c', image: testImages.busybox, command: ['sleep', '3600'] }] },
        },
      },
    });
    const apply = (replicas: number, manager: string, force: boolean) =>
      objects.patch(deployment(replicas), undefined, undefined, manager, force, PatchStrategy.ServerSideApply);
    await apply(1, 'helm', false);
    await expect(apply(2, 'somebody', false)).rejects.toMatchObject({ code: 409 });
    await apply(2, 'somebody', true);
    const managers = (await config.makeApiClient(AppsV1Api).readNamespacedDeployment({ name: 'released', namespace: ns })).metadata
      ?.managedFields;
    expect(managers?.filter((m) => m.operation === 'Apply').map((m) => m.manager)).toEqual(['helm', 'somebody']);
  });

  it('watches, runs commands and reads logs', async () => {
    const core = config.makeApiClient(CoreV1Api);
    const phases: string[] = [];
    const watching = await new Watch(config).watch(
      `/api/v1/namespaces/${ns}/pods`,
      { fieldSelector: 'metadata.name=worker' },
      (_type, pod: { status?: { phase?: string } }) => phases.push(pod.status?.phase ?? ''),
      () => undefined,
    );
    await core.createNamespacedPod({
      namespace: ns,
      body: {
        metadata: { name: 'worker' },
        spec: { containers: [{ name: 'c', image: testImages.busybox, command: ['sh', '-c', 'echo started; exec sleep 3600'] }] },
      },
    });
    await eventually('the pod runs', () => Promise.resolve(phases.includes('Running')));
    watching.abort();
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    const status = new Promise<string | undefined>((resolve) => {
      void new Exec(config).exec(ns, 'worker', 'c', ['sh', '-c', 'echo out; echo err >&2; exit 3'], stdout, stderr, null, false, (s) => {
        resolve(s.details?.causes?.[0]?.message);
        stdout.end();
        stderr.end();
      });
    });
    expect([await status, await text(stdout), await text(stderr)]).toEqual(['3', 'out\n', 'err\n']);
    // A container runs before it has written anything.
    await eventually('the log', async () => (await core.readNamespacedPodLog({ name: 'worker', namespace: ns })) === 'started\n');
    const log = new PassThrough();
    await new Log(config).log(ns, 'worker', 'c', log, { tailLines: 1 });
    expect(await text(log)).toBe('started\n');
  });
});

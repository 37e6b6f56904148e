import Docker from 'dockerode';
import { deployment, namespace, pod, service, type Deployment, type Pod } from '@skiff/api';
import { hasReason, type KubeObject, type ResourceRef } from '@skiff/apimachinery';
import { createClient, loadKubeconfig, type Client } from '@skiff/client';
import { importHostImage, nodeImage } from '@skiff/testing/host-image';
import type { ClusterConfig } from '../config.ts';
import { findProgram } from '../host/requirements.ts';
import { kubeconfigPath } from '../supervisor/processes.ts';
import type { Steps } from '../up/steps.ts';
import { UserError } from '../user-error.ts';
import { counterProgram, webProgram } from './app.ts';
import { untilAnswered, startLoad } from './load.ts';
import { demoNamespace, deployments, images, namespaceManifest, services } from './manifests.ts';

async function makeImages(config: ClusterConfig): Promise<void> {
  const docker = new Docker({ socketPath: config.dockerSocket });
  const labels = { 'io.skiff.instance': config.instance };
  const web = nodeImage(images.web1, { '/app.js': webProgram }, ['node', '/app.js']);
  await importHostImage(docker, { ...web, environment: { VERSION: '1' }, labels });
  await importHostImage(docker, { ...web, name: images.web2, environment: { VERSION: '2' }, labels });
  await importHostImage(docker, { ...nodeImage(images.counter, { '/app.js': counterProgram }, ['node', '/app.js']), labels });
  const redis = findProgram('redis-server');
  if (redis === undefined) throw new UserError('The demo needs redis-server on this host for its third tier.');
  await importHostImage(docker, {
    name: images.redis,
    programs: [redis],
    command: [redis, '--save', '', '--protected-mode', 'no'],
    labels,
  });
}

/** Resolves with whether it was made; false: it is there already. */
async function ensure<T extends KubeObject>(client: Client, r: ResourceRef<T>, object: T): Promise<boolean> {
  try {
    await client.create(r, object);
    return true;
  } catch (error) {
    if (!hasReason(error, 'AlreadyExists')) throw error;
    return false;
  }
}

/** Waits until the demo's namespace is gone. Throws UserError after `timeoutMs`. */
async function untilGone(client: Client, timeoutMs = 120_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (Date.now() < deadline) {
    try {
      await client.get(namespace, { name: demoNamespace });
    } catch (error) {
      if (hasReason(error, 'NotFound')) return;
      throw error;
    }
    await new Promise((r) => setTimeout(r, 200));
  }
  throw new UserError(`namespace ${demoNamespace} is still there after ${timeoutMs / 1000} s`);
}

/** The namespace; one that is just being removed is waited for and made anew. */
async function ensureNamespace(client: Client): Promise<void> {
  if (await ensure(client, namespace, namespaceManifest)) return;
  try {
    const found = await client.get(namespace, { name: demoNamespace });
    if (found.metadata?.deletionTimestamp === undefined) return;
  } catch (error) {
    // Its removal ended just now.
    if (!hasReason(error, 'NotFound')) throw error;
  }
  await untilGone(client);
  await ensure(client, namespace, namespaceManifest);
}

/** Makes the Deployment, or leads the one of an earlier demo back to where the demo begins. */
async function ensureDeployment(client: Client, wanted: Deployment): Promise<void> {
  if (await ensure(client, deployment, wanted)) return;
  const key = { namespace: demoNamespace, name: wanted.metadata?.name ?? '' };
  await client.patch(deployment, key, { type: 'strategic', body: { spec: wanted.spec } });
}

/** Watches until `predicate` holds for the Deployment. Throws UserError after `timeoutMs`. */
async function untilDeployment(client: Client, name: string, predicate: (d: Deployment) => boolean, timeoutMs = 180_000): Promise<void> {
  const signal = AbortSignal.timeout(timeoutMs);
  const key = { namespace: demoNamespace, name };
  try {
    if (predicate(await client.get(deployment, key))) return;
    for (;;) {
      const watch = client.watch(deployment, demoNamespace, { fieldSelector: `metadata.name=${name}`, signal });
      for await (const event of watch) if (event.type !== 'BOOKMARK' && event.type !== 'ERROR' && predicate(event.object)) return;
    }
  } catch (error) {
    if (signal.aborted)
      throw new UserError(
        `Deployment ${name} did not get there within ${timeoutMs / 1000} s; look at: kubectl -n ${demoNamespace} get pods`,
      );
    throw error;
  }
}

const rolledOut = (d: Deployment): boolean =>
  d.status?.observedGeneration === d.metadata?.generation &&
  d.status?.updatedReplicas === d.spec?.replicas &&
  d.status?.availableReplicas === d.spec?.replicas &&
  d.status?.replicas === d.spec?.replicas;

const podsOf = async (client: Client, app: string): Promise<readonly Pod[]> =>
  (await client.list(pod, demoNamespace, { labelSelector: `app=${app}` })).items;

function printPods(pods: readonly Pod[], steps: Steps): void {
  for (const p of pods.filter((one) => one.metadata?.deletionTimestamp === undefined))
    steps.line(`    ${(p.metadata?.name ?? '').padEnd(28)} ${(p.status?.phase ?? '').padEnd(10)} ${p.status?.podIP ?? ''}`);
}

/** `skiff demo`: three tiers from images made here, then scaling, a rolling update under load, and self-healing, each shown as it happens. */
export async function demo(config: ClusterConfig, steps: Steps, o: { keep: boolean }): Promise<void> {
  const client = createClient(loadKubeconfig(kubeconfigPath(config, 'admin'), { userAgent: 'skiff-demo' }));
  try {
    await steps.run('Making images from programs of this host, without any registry', () => makeImages(config));
    await steps.run(`Creating namespace ${demoNamespace}: web → counter → redis, 3 Deployments, 3 Services`, async () => {
      await ensureNamespace(client);
      for (const s of services) await ensure(client, service, s);
      for (const d of deployments) await ensureDeployment(client, d);
    });
    await steps.run('All pods are Ready', async () => {
      for (const d of deployments) await untilDeployment(client, d.metadata?.name ?? '', rolledOut);
    });
    printPods(await podsOf(client, 'web'), steps);
    const web = await client.get(service, { namespace: demoNamespace, name: 'web' });
    const clusterUrl = `http://${web.spec?.clusterIP}/`;
    const nodeUrl = `http://127.0.0.1:${web.spec?.ports?.[0]?.nodePort}/`;
    steps.line(`\nThe Service spreads requests: ${clusterUrl} (ClusterIP) and ${nodeUrl} (NodePort)`);
    for (let i = 0; i < 3; i++) steps.line(`    ${await untilAnswered(`${i % 2 === 0 ? clusterUrl : nodeUrl}count`)}`);

    steps.line('\nScaling web from 3 to 6:');
    await steps.run('6 pods are available', async () => {
      await client.patch(
        deployment,
        { namespace: demoNamespace, name: 'web' },
        { type: 'merge', body: { spec: { replicas: 6 } }, subresource: 'scale' },
      );
      await untilDeployment(client, 'web', (d) => rolledOut(d) && d.spec?.replicas === 6);
    });

    steps.line('\nA rolling update from v1 to v2 under 100 new connections a second:');
    const load = startLoad(clusterUrl, { perSecond: 100, classify: (text) => /^web v\d+/.exec(text)?.[0] ?? text });
    await steps.run('v2 is rolled out', async () => {
      const body = { spec: { template: { spec: { containers: [{ name: 'web', image: images.web2 }] } } } };
      await client.patch(deployment, { namespace: demoNamespace, name: 'web' }, { type: 'strategic', body });
      await untilDeployment(client, 'web', (d) => rolledOut(d) && d.spec?.template?.spec?.containers[0]?.image === images.web2);
    });
    const report = await load.stop();
    const shares = [...report.answers].map(([name, n]) => `${name}: ${n}`).join(', ');
    steps.line(`    ${report.requests} requests, ${report.failures.length} failed (${shares})`);
    for (const why of new Set(report.failures)) steps.line(`    failed: ${why}`);

    steps.line('\nSelf-healing: the process of one web container is killed.');
    const victim = (await podsOf(client, 'web')).find(
      (p) => p.metadata?.deletionTimestamp === undefined && p.spec?.containers[0]?.image === images.web2,
    );
    const containerId = victim?.status?.containerStatuses?.[0]?.containerID?.replace('docker://', '');
    if (victim?.metadata?.name === undefined || containerId === undefined) throw new UserError('no web pod is running');
    const before = victim.status?.containerStatuses?.[0]?.restartCount ?? 0;
    await steps.run(`${victim.metadata.name} runs again`, async (note) => {
      await new Docker({ socketPath: config.dockerSocket }).getContainer(containerId).kill({ signal: 'SIGKILL' });
      const key = { namespace: demoNamespace, name: victim.metadata?.name ?? '' };
      const deadline = Date.now() + 60_000;
      for (;;) {
        const now = (await client.get(pod, key)).status?.containerStatuses?.[0];
        if (now !== undefined && now.restartCount > before && now.ready) return note(`restarts: ${now.restartCount}`);
        if (Date.now() > deadline) throw new UserError(`${key.name} was not restarted within 60 s`);
        await new Promise((r) => setTimeout(r, 100));
      }
    });
    if (o.keep) {
      steps.line(
        `\nIt goes on running. Look around: kubectl -n ${demoNamespace} get all;  remove it: kubectl delete namespace ${demoNamespace}`,
      );
      return;
    }
    await steps.run('Removing the demo', async () => {
      await client.delete(namespace, { name: demoNamespace });
      await untilGone(client);
    });
  } finally {
    client.close();
  }
}

import { request } from 'node:http';
import type { Bench, Row } from './api-phases.ts';
import { median } from './processes.ts';

interface PodLike {
  metadata: { name: string; deletionTimestamp?: string };
  status?: { podIP?: string; conditions?: { type: string; status: string }[] };
}
export const isReady = (p: PodLike): boolean => p.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') === true;

/** The pods of an app as a watch shows them, with a way to wait for a state of the whole. */
export async function follow(
  bench: Bench,
  app: string,
): Promise<{ pods: Map<string, PodLike>; until(what: (pods: Map<string, PodLike>) => boolean): Promise<number>; close(): void }> {
  const pods = new Map<string, PodLike>();
  const waiting = new Set<() => void>();
  const path = `/api/v1/namespaces/${bench.namespace}/pods?labelSelector=app%3D${app}`;
  const list = await bench.client.json<{ metadata: { resourceVersion: string } }>('GET', path);
  const watch = await bench.client.watch(`${path}&watch=1&resourceVersion=${list.metadata.resourceVersion}`, (line) => {
    const event = JSON.parse(line.toString()) as { type: string; object: PodLike };
    if (event.type === 'DELETED') pods.delete(event.object.metadata.name);
    else if (event.type === 'ADDED' || event.type === 'MODIFIED') pods.set(event.object.metadata.name, event.object);
    for (const w of waiting) w();
  });
  return {
    pods,
    close: watch.close,
    until: (what) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`${app}: not within 120 s; ${pods.size} pods`)), 120_000);
        const check = (): void => {
          if (!what(pods)) return;
          clearTimeout(timer);
          waiting.delete(check);
          resolve(performance.now());
        };
        waiting.add(check);
        check();
      }),
  };
}

export const deploymentOf = (name: string, replicas: number, image: string): object => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: {
        terminationGracePeriodSeconds: 5,
        containers: [{ name: 'c', image, imagePullPolicy: 'IfNotPresent', ports: [{ containerPort: 8080 }] }],
      },
    },
  },
});

export async function podStart(bench: Bench, image: string, rounds: number): Promise<readonly Row[]> {
  const ready: number[] = [];
  const gone: number[] = [];
  const path = `/apis/apps/v1/namespaces/${bench.namespace}/deployments`;
  for (let i = 0; i < rounds; i++) {
    const f = await follow(bench, `one-${i}`);
    const started = performance.now();
    await bench.client.json('POST', path, deploymentOf(`one-${i}`, 1, image));
    ready.push((await f.until((pods) => [...pods.values()].some(isReady))) - started);
    const removed = performance.now();
    await bench.client.json('DELETE', `${path}/one-${i}?propagationPolicy=Background`);
    gone.push((await f.until((pods) => pods.size === 0)) - removed);
    f.close();
  }
  return [
    { name: 'Deployment of one pod: POST to Ready', value: median(ready), unit: 'ms', upstream: 532, better: 'less' },
    { name: 'Deployment of one pod: DELETE to gone', value: median(gone), unit: 'ms', upstream: 2959, better: 'less' },
  ];
}

export async function deployment30(bench: Bench, image: string): Promise<readonly Row[]> {
  const path = `/apis/apps/v1/namespaces/${bench.namespace}/deployments`;
  const f = await follow(bench, 'many');
  const started = performance.now();
  await bench.client.json('POST', path, deploymentOf('many', 30, image));
  const ready = (await f.until((pods) => [...pods.values()].filter(isReady).length === 30)) - started;
  const rolled = performance.now();
  const old = new Set(f.pods.keys());
  await bench.client.json(
    'PATCH',
    `${path}/many`,
    { spec: { template: { metadata: { annotations: { round: '2' } } } } },
    'application/strategic-merge-patch+json',
  );
  const done =
    (await f.until((pods) => pods.size === 30 && [...pods.values()].every((p) => isReady(p) && !old.has(p.metadata.name)))) - rolled;
  const removed = performance.now();
  await bench.client.json('DELETE', `${path}/many?propagationPolicy=Background`);
  const gone = (await f.until((pods) => pods.size === 0)) - removed;
  f.close();
  return [
    { name: 'Deployment of 30: all Ready', value: ready / 1000, unit: 's', upstream: 4.6, better: 'less' },
    { name: 'Deployment of 30: rolled over, old pods gone', value: done / 1000, unit: 's', upstream: 10.4, better: 'less' },
    { name: 'Deployment of 30: all gone', value: gone / 1000, unit: 's', upstream: 4.5, better: 'less' },
  ];
}

/** One GET on a connection of its own; rejects when there is no answer. */
const getOnce = (host: string, port: number): Promise<number> =>
  new Promise((resolve, reject) => {
    const started = performance.now();
    const req = request({ host, port, path: '/keep', agent: false, timeout: 5000 }, (res) => {
      res.resume();
      res.on('end', () => resolve(performance.now() - started));
      res.on('error', reject);
    });
    req.on('timeout', () => req.destroy(new Error('timed out')));
    req.on('error', reject);
    req.end();
  });

/** New connections through a ClusterIP against the pod's own address, in the same run. */
export async function serviceRoundTrip(bench: Bench, image: string): Promise<readonly Row[]> {
  const f = await follow(bench, 'web');
  await bench.client.json('POST', `/apis/apps/v1/namespaces/${bench.namespace}/deployments`, deploymentOf('web', 1, image));
  const service = await bench.client.json<{ spec: { clusterIP: string } }>('POST', `/api/v1/namespaces/${bench.namespace}/services`, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web' },
    spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] },
  });
  await f.until((pods) => [...pods.values()].some(isReady));
  const podIP = [...f.pods.values()][0]?.status?.podIP ?? '';
  const deadline = Date.now() + 20_000;
  for (;;) {
    try {
      await getOnce(service.spec.clusterIP, 80);
      break;
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((r) => setTimeout(r, 50));
    }
  }
  const measure = async (host: string, port: number): Promise<number> => {
    const all: number[] = [];
    for (let i = 0; i < 500; i++) all.push(await getOnce(host, port));
    return median(all);
  };
  const direct = await measure(podIP, 8080);
  const through = await measure(service.spec.clusterIP, 80);
  f.close();
  return [
    { name: 'HTTP on a new connection, pod address', value: direct, unit: 'ms', better: 'less' },
    { name: 'HTTP on a new connection, ClusterIP', value: through, unit: 'ms', better: 'less' },
  ];
}

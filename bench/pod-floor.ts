import type Docker from 'dockerode';
import type { Bench, Row } from './api-phases.ts';
import { cpuMs, median, proxyDataOf, rssMiB } from './processes.ts';
import { deploymentOf, follow, isReady } from './pod-phases.ts';

/** What the engine itself takes for a sandbox and a container in it: two creates, two starts, one after the other. */
async function engineAlone(docker: Docker, image: string): Promise<number> {
  const started = performance.now();
  const sandbox = await docker.createContainer({ Image: image, HostConfig: { NetworkMode: 'none' } });
  try {
    await sandbox.start();
    const container = await docker.createContainer({ Image: image, HostConfig: { NetworkMode: `container:${sandbox.id}` } });
    try {
      await container.start();
      return performance.now() - started;
    } finally {
      await container.remove({ force: true });
    }
  } finally {
    await sandbox.remove({ force: true });
  }
}

/** One pod after the other, each beside the same work done by the engine alone, so that both meet the same machine. */
export async function podFloor(bench: Bench, docker: Docker, image: string, rounds: number): Promise<readonly Row[]> {
  const [ready, gone, alone]: [number[], number[], number[]] = [[], [], []];
  const path = `/api/v1/namespaces/${bench.namespace}/pods`;
  const f = await follow(bench, 'floor');
  for (let i = 0; i < rounds; i++) {
    alone.push(await engineAlone(docker, image));
    const started = performance.now();
    await bench.client.json('POST', path, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: `floor-${i}`, labels: { app: 'floor' } },
      spec: { terminationGracePeriodSeconds: 5, containers: [{ name: 'c', image, imagePullPolicy: 'IfNotPresent' }] },
    });
    ready.push((await f.until((pods) => [...pods.values()].some(isReady))) - started);
    const removed = performance.now();
    await bench.client.json('DELETE', `${path}/floor-${i}`);
    gone.push((await f.until((pods) => pods.size === 0)) - removed);
  }
  f.close();
  return [
    { name: 'engine alone: create and start sandbox, container', value: median(alone), unit: 'ms', better: 'less' },
    { name: 'Pod: POST to Ready', value: median(ready), unit: 'ms', better: 'less' },
    {
      name: '  times what the engine takes alone',
      value: median(ready.map((r, i) => r / (alone[i] ?? Number.NaN))),
      unit: '×',
      better: 'less',
    },
    { name: 'Pod: DELETE to gone', value: median(gone), unit: 'ms', better: 'less' },
  ];
}

/** Until what the start of the pods left behind is collected. */
const settleMs = 30_000;

/** The node's processes with 30 pods that do nothing. proxy-data is told, and stands beside the agent: it carries the traffic. */
export async function idleWith30(bench: Bench, image: string, instance: string): Promise<readonly Row[]> {
  const path = `/apis/apps/v1/namespaces/${bench.namespace}/deployments`;
  const f = await follow(bench, 'idle');
  await bench.client.json('POST', path, deploymentOf('idle', 30, image));
  await f.until((pods) => [...pods.values()].filter(isReady).length === 30);
  await new Promise((r) => setTimeout(r, settleMs));
  const names = ['kubelet', 'proxy'];
  const node = (): number[] => names.map((name) => bench.pids()[name] ?? 0);
  const before = node().map((pid) => cpuMs(pid));
  const seconds = 30;
  await new Promise((r) => setTimeout(r, seconds * 1000));
  const shares = node().map((pid, i) => (cpuMs(pid) - (before[i] ?? 0)) / (seconds * 10));
  const total = (of: readonly number[]): number => of.reduce((sum, n) => sum + n, 0);
  const rows: readonly Row[] = [
    ...shares.map((value, i): Row => ({ name: `  idle with 30 pods: ${names[i]}`, value, unit: '% of a core', better: 'less' })),
    { name: 'idle with 30 pods: kubelet + proxy', value: total(shares), unit: '% of a core', better: 'less' },
    ...node().map((pid, i): Row => ({ name: `  memory with 30 pods: ${names[i]}`, value: rssMiB(pid), unit: 'MiB', better: 'less' })),
    { name: 'memory with 30 pods: kubelet + proxy', value: total(node().map((pid) => rssMiB(pid))), unit: 'MiB', better: 'less' },
    { name: '  memory with 30 pods: proxy-data', value: rssMiB(proxyDataOf(instance) ?? 0), unit: 'MiB', better: 'less' },
  ];
  await bench.client.json('DELETE', `${path}/idle?propagationPolicy=Background`);
  await f.until((pods) => pods.size === 0);
  f.close();
  return rows;
}

import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { connect, eventually, type RunningCluster } from './support/cluster.ts';
import { get } from './support/http.ts';
import { testImages } from './support/images.ts';

let cluster: RunningCluster;
const ns = 'story-recovery';
let url = '';

interface Running {
  readonly pod: string;
  readonly id: string;
  readonly startedAt: string;
}
/** Every app container of the story's pods that Docker runs, with the time it was started. */
async function running(): Promise<readonly Running[]> {
  const found = await cluster.docker.listContainers({ filters: { label: [`io.kubernetes.pod.namespace=${ns}`] } });
  const out = await Promise.all(
    found.map(async (c) => ({
      pod: c.Labels['io.kubernetes.pod.name'] ?? '',
      id: c.Id,
      startedAt: (await cluster.docker.getContainer(c.Id).inspect()).State.StartedAt,
    })),
  );
  return out.sort((a, b) => (a.id < b.id ? -1 : 1));
}

beforeAll(async () => {
  cluster = connect(inject('place'));
  await cluster.kubectl(`create namespace ${ns}`);
  await cluster.kubectl(`create deployment web -n ${ns} --image=${testImages.web1} --replicas=3 --port=8080`);
  await cluster.kubectl(`expose deployment web -n ${ns} --port=80 --target-port=8080`);
  await cluster.kubectl(`rollout status -n ${ns} deployment/web --timeout=120s`, { timeoutMs: 130_000 });
  url = `http://${await cluster.kubectl(`get service -n ${ns} web -o jsonpath={.spec.clusterIP}`)}/`;
  await eventually('the Service answers', async () => (await get(url)).length === 3);
});
afterAll(async () => {
  await cluster.tryKubectl(`delete namespace ${ns} --wait=false`);
  cluster.client.close();
});

/** The cluster is whole: API answers, node Ready, a new pod runs and goes, the Service answers. */
async function expectWhole(name: string): Promise<void> {
  await eventually('the node is Ready', async () => /\sReady\s/.test(await cluster.kubectl('get nodes')));
  await cluster.kubectl(`run -n ${ns} after-${name} --image=${testImages.busybox} --restart=Never -- true`);
  await cluster.kubectl(`wait -n ${ns} pod/after-${name} --for=jsonpath={.status.phase}=Succeeded --timeout=60s`);
  await cluster.kubectl(`delete -n ${ns} pod/after-${name} --timeout=60s`);
  expect((await get(url)).length).toBe(3);
}

/** Exactly these containers run, none of them started anew. The sandbox of a finished pod may outlive its object by a moment. */
async function expectRunning(before: readonly Running[]): Promise<void> {
  await eventually('nothing else runs', async () => (await running()).length === before.length, 10_000);
  expect(await running()).toEqual(before);
}

describe('killed with SIGKILL, each recovers by itself and no healthy container is restarted', () => {
  it.each(['kubelet', 'proxy', 'apiserver', 'controller-manager', 'scheduler', 'etcd', 'redis'])('%s', async (name) => {
    const before = await running();
    expect(before.length).toBe(6);
    const pid = cluster.pids()[name];
    expect(pid).toBeDefined();
    process.kill(pid ?? 0, 'SIGKILL');
    await eventually('it was started again', async () => {
      const now = cluster.pids()[name];
      return now !== undefined && now !== pid;
    });
    await eventually('the apiserver is ready', async () => (await cluster.tryKubectl('get --raw /readyz')).code === 0);
    await expectWhole(name);
    await expectRunning(before);
  });

  it('a container: it alone is started again', async () => {
    const before = await running();
    const victim = (
      await cluster.docker.listContainers({ filters: { label: [`io.kubernetes.pod.namespace=${ns}`, 'io.kubernetes.container.name=web'] } })
    )[0];
    const name = victim?.Labels['io.kubernetes.pod.name'] ?? '';
    await cluster.docker.getContainer(victim?.Id ?? '').kill({ signal: 'SIGKILL' });
    await eventually('it runs again', async () =>
      /^\S+\s+1\/1\s+Running\s+1/.test(await cluster.kubectl(`get pod -n ${ns} ${name} --no-headers`)),
    );
    const after = await running();
    expect(after.filter((c) => c.id !== victim?.Id && before.some((b) => b.id === c.id && b.startedAt === c.startedAt)).length).toBe(5);
  });

  it('dockerd', async () => {
    const info = await cluster.docker.info();
    if (info.LiveRestoreEnabled !== true) {
      console.warn('SKIPPED: this engine runs without live-restore, so a restart of dockerd restarts containers by design');
      return;
    }
    const before = await running();
    const { restartEngine } = await import('./support/engine.ts');
    await restartEngine('SIGKILL');
    await expectWhole('dockerd');
    await expectRunning(before);
  });
});

it('deleting a namespace leaves nothing of it in Docker', async () => {
  await cluster.kubectl(`delete namespace ${ns} --timeout=120s`, { timeoutMs: 130_000 });
  const left = await cluster.docker.listContainers({ all: true, filters: { label: [`io.kubernetes.pod.namespace=${ns}`] } });
  expect(left.map((c) => c.Names)).toEqual([]);
});

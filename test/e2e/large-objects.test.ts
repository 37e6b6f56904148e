import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { type Answer, type BenchClient, benchClient } from '../../bench/client.ts';
import { connect, type RunningCluster } from './support/cluster.ts';

let cluster: RunningCluster;
let client: BenchClient;
const ns = 'story-large';
const path = `/api/v1/namespaces/${ns}/configmaps`;
const keys = 30_000;

beforeAll(async () => {
  cluster = connect(inject('place'));
  client = benchClient(cluster.kubeconfig, 8);
  await cluster.kubectl(`create namespace ${ns}`);
});
afterAll(async () => {
  client.close();
  await cluster.kubectl(`delete namespace ${ns} --wait=false`);
  cluster.client.close();
});

/** CPU time of a thread, or of all threads of a process, in ticks. */
function cpuTicks(stat: string): number {
  const text = readFileSync(stat, 'latin1');
  const [, user, system] = /\) (?:\S+ ){11}(\d+) (\d+)/.exec(text) ?? [];
  return Number(user) + Number(system);
}

/** Which share of the CPU time that the apiserver needed for `work` was its main thread's, where everyone waits. */
async function mainThreadShare(work: () => Promise<unknown>): Promise<number> {
  const pid = cluster.pids()['apiserver'] ?? 0;
  const now = (): readonly [number, number] => [cpuTicks(`/proc/${pid}/task/${pid}/stat`), cpuTicks(`/proc/${pid}/stat`)];
  const [main, all] = now();
  await work();
  const [mainAfter, allAfter] = now();
  return (mainAfter - main) / (allAfter - all);
}

it('an object with tens of thousands of values can be written and read, and holds up nobody', async () => {
  const data = Object.fromEntries(Array.from({ length: keys }, (_, i) => [`key-${i}`, `${i}`]));
  const configMap = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'large' }, data };
  const answers: Answer[] = [];
  const heavy = async (method: string, where: string, body?: unknown, type?: string): Promise<void> => {
    answers.push(await client.request(method, where, body, type));
  };
  // Its thread takes a moment to start.
  await client.json('POST', `${path}?dryRun=All`, configMap);
  const share = await mainThreadShare(async () => {
    await heavy('POST', path, configMap);
    await heavy('PATCH', `${path}/large`, { metadata: { labels: { size: 'large' } } }, 'application/strategic-merge-patch+json');
    await heavy('PATCH', `${path}/large`, [{ op: 'add', path: '/data/one-more', value: 'x' }], 'application/json-patch+json');
    await heavy(
      'PATCH',
      `${path}/applied?fieldManager=test`,
      { ...configMap, metadata: { name: 'applied' } },
      'application/apply-patch+yaml',
    );
    await heavy(
      'POST',
      path,
      Buffer.from(`apiVersion: v1\nkind: ConfigMap\nmetadata: {name: yaml}\ndata: ${JSON.stringify(data)}\n`),
      'application/yaml',
    );
    await heavy('GET', `${path}/large?pretty=1`);
    await heavy('GET', path);
  });
  expect(answers.map((a) => a.status)).toEqual([201, 200, 200, 201, 201, 200, 200]);
  const read = await client.json<{ metadata: { labels: object }; data: Record<string, string> }>('GET', `${path}/large`);
  expect(read.metadata.labels).toEqual({ size: 'large' });
  expect(read.data).toEqual({ ...data, 'one-more': 'x' });
  expect(share).toBeLessThan(0.25);
  expect((await client.request('DELETE', `${path}/large`)).status).toBe(200);
});

it('errors are those of any object', async () => {
  const env = Array.from({ length: 10_000 }, (_, i) => ({ name: `e${i}` }));
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'large' }, spec: { containers: [{ name: 'UPPER', image: 'x', env }] } };
  const refused = await client.request('POST', `/api/v1/namespaces/${ns}/pods`, pod);
  expect(refused.status).toBe(422);
  expect(JSON.parse(refused.body.toString())).toMatchObject({
    kind: 'Status',
    reason: 'Invalid',
    details: { causes: [{ field: 'spec.containers[0].name' }] },
  });
  const unknown = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'strict' },
    date: {},
    data: Object.fromEntries(env.map((e) => [e.name, ''])),
  };
  const strict = await client.request('POST', `${path}?fieldValidation=Strict`, unknown);
  expect(JSON.parse(strict.body.toString())).toMatchObject({
    code: 400,
    message: expect.stringContaining('unknown field "date"') as string,
  });
  const broken = await client.request('PATCH', `${path}/none`, [{ op: 'add', path: '/data/a', value: env }], 'application/json-patch+json');
  expect(broken.status).toBe(404);
});

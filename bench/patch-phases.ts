import { protobufBodies, protobufMediaType } from '../packages/apiserver/src/request/protobuf-body.ts';
import { type Bench, pendingPod, type Row, withCpu } from './api-phases.ts';
import { pool } from './client.ts';
import { median } from './processes.ts';

const strategic = 'application/strategic-merge-patch+json';
const apply = 'application/apply-patch+yaml';

const body = (value: object): Buffer => Buffer.from(JSON.stringify(value));

/** Patches of a pod of 6.8 KB, each to another value. */
export async function patchPod(bench: Bench, n: number): Promise<readonly Row[]> {
  const { client, namespace } = bench;
  const path = `/api/v1/namespaces/${namespace}/pods`;
  const pods = 16;
  await pool(16, pods, (i) => client.request('POST', path, pendingPod(namespace, `patch-${i}`)));
  const merge = await withCpu(bench, () =>
    pool(pods, n, (i) =>
      client.request('PATCH', `${path}/patch-${i % pods}`, body({ metadata: { labels: { round: String(i) } } }), strategic),
    ),
  );
  const applied = (i: number): Buffer =>
    body({ apiVersion: 'v1', kind: 'Pod', metadata: { name: `patch-${i % pods}`, annotations: { 'bench/round': String(i) } } });
  const applyPath = (i: number): string => `${path}/patch-${i % pods}?fieldManager=bench&force=true`;
  const ssa = await withCpu(bench, () => pool(pods, n, (i) => client.request('PATCH', applyPath(i), applied(i), apply)));
  await client.request('DELETE', `${path}?gracePeriodSeconds=0`);
  return [
    {
      name: 'strategic merge patch of a pod, 16 at once',
      value: n / merge.result.seconds,
      unit: '/s',
      cpuMsPerOperation: merge.cpu / n,
      better: 'more',
    },
    {
      name: 'server-side apply to a pod, 16 at once',
      value: n / ssa.result.seconds,
      unit: '/s',
      cpuMsPerOperation: ssa.cpu / n,
      better: 'more',
    },
  ];
}

/** What client-go components speak. */
export async function protobuf(bench: Bench, n: number): Promise<readonly Row[]> {
  const { client, namespace } = bench;
  const path = `/api/v1/namespaces/${namespace}/pods`;
  const bodies = Array.from({ length: n }, (_, i) => protobufBodies.encodeObject(pendingPod(namespace, `proto-${i}`) as never));
  const create = await withCpu(bench, () =>
    pool(16, n, (i) => client.request('POST', path, bodies[i], protobufMediaType, protobufMediaType)),
  );
  const read = (name: string) => client.request('GET', `${path}${name}`, undefined, undefined, protobufMediaType);
  await read('');
  const get = await withCpu(bench, () => pool(16, n * 2, (i) => read(`/proto-${i % n}`)));
  const list = await withCpu(bench, () => pool(1, 20, () => read('')));
  const json = await withCpu(bench, () => pool(1, 20, () => client.request('GET', path)));
  await client.request('DELETE', `${path}?gracePeriodSeconds=0`);
  return [
    {
      name: 'create Pod 6.8 KB, protobuf, 16 at once',
      value: n / create.result.seconds,
      unit: '/s',
      cpuMsPerOperation: create.cpu / n,
      better: 'more',
    },
    {
      name: 'GET of a pod, protobuf, 16 at once',
      value: (n * 2) / get.result.seconds,
      unit: '/s',
      cpuMsPerOperation: get.cpu / (n * 2),
      better: 'more',
    },
    {
      name: `LIST of ${n} pods, protobuf`,
      value: median(list.result.latenciesMs),
      unit: 'ms',
      cpuMsPerOperation: list.cpu / 20,
      better: 'less',
    },
    {
      name: `LIST of ${n} pods, JSON`,
      value: median(json.result.latenciesMs),
      unit: 'ms',
      cpuMsPerOperation: json.cpu / 20,
      better: 'less',
    },
  ];
}

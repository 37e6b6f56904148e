/**
 * `npm run bench`: starts a Skiff of its own, measures, prints a table, and removes everything. Upstream's figures are those of
 * Kubernetes 1.36.2 under the same load on two cores of the same kind; compare ratios and CPU time, not single wall times.
 */
import { cpus } from 'node:os';
import Docker from 'dockerode';
import { importHostImage, nodeImage } from '@skiff/testing/host-image';
import { clusterPlace, connect, skiff } from '../test/e2e/support/cluster.ts';
import { testImages, webProgram } from '../test/e2e/support/images.ts';
import { createAndGet, heavyBody, listPods, watchFanOut, type Bench, type Row } from './api-phases.ts';
import { benchClient } from './client.ts';
import { manyPods } from './many-pods.ts';
import { idleWith30, podFloor } from './pod-floor.ts';
import { deployment30, podStart, serviceRoundTrip } from './pod-phases.ts';
import { patchPod, protobuf } from './patch-phases.ts';
import { probeCost } from './probe-cost.ts';
import { cpuMs, rssMiB } from './processes.ts';

const place = clusterPlace('bench', 8);
/** The kubelet's; the flag names the first of the cluster's. */
const healthPort = Number(/--health-port-base=(\d+)/.exec(place.flags.join(' '))?.[1]);
const rows: Row[] = [];
function add(more: readonly Row[]): void {
  for (const r of more) {
    rows.push(r);
    const number = (n: number): string => (n >= 100 ? n.toFixed(0) : n.toPrecision(3));
    const cpu = r.cpuMsPerOperation === undefined ? '' : `${number(r.cpuMsPerOperation)} ms`;
    const ratio = r.upstream === undefined ? '' : `${number(r.better === 'more' ? r.value / r.upstream : r.upstream / r.value)}×`;
    const cells = [
      r.name.padEnd(48),
      `${number(r.value)} ${r.unit}`.padStart(16),
      cpu.padStart(10),
      (r.upstream === undefined ? '' : number(r.upstream)).padStart(9),
      ratio.padStart(7),
    ];
    console.log(cells.join('  '));
  }
}

const down = (): ReturnType<typeof skiff> => skiff(['down', `--root-dir=${place.rootDir}`, '--wipe']);
await down();
const docker = new Docker();
await importHostImage(docker, {
  ...nodeImage(testImages.web1, { '/web.js': webProgram }, ['node', '/web.js']),
  environment: { VERSION: '1' },
});
/** The sandbox's own image, which ends on SIGTERM. */
const pause = 'skiff/pause:1';

console.log(`${cpus().length} × ${cpus()[0]?.model ?? '?'}, Node ${process.version}`);
console.log(['what'.padEnd(48), 'Skiff'.padStart(16), 'apiserver'.padStart(10), 'upstream'.padStart(9), 'better'.padStart(7)].join('  '));
try {
  const first = await skiff(['up', ...place.flags]);
  if (first.code !== 0) throw new Error(`${first.stdout}${first.stderr}`);
  await skiff(['down', `--root-dir=${place.rootDir}`]);
  const again = await skiff(['up', ...place.flags]);
  if (again.code !== 0) throw new Error(`${again.stdout}${again.stderr}`);
  add([
    { name: 'up on an empty folder, to a Ready node', value: first.ms / 1000, unit: 's', better: 'less' },
    { name: 'up again, to a Ready node', value: again.ms / 1000, unit: 's', better: 'less' },
  ]);
  const cluster = connect(place);
  const pids = (): Readonly<Record<string, number>> => cluster.pids();
  await new Promise((r) => setTimeout(r, 10_000));
  const control = ['apiserver', 'controller-manager', 'scheduler'].map((name) => pids()[name] ?? 0);
  const before = Object.fromEntries(Object.entries(pids()).map(([name, pid]) => [name, cpuMs(pid)]));
  await new Promise((r) => setTimeout(r, 10_000));
  add([
    {
      name: 'memory: apiserver + controller-manager + scheduler',
      value: control.reduce((sum, pid) => sum + rssMiB(pid), 0),
      unit: 'MiB',
      upstream: 478,
      better: 'less',
    },
  ]);
  for (const [name, pid] of Object.entries(pids())) {
    add([
      {
        name: `  idle: ${name} (${rssMiB(pid).toFixed(0)} MiB)`,
        value: (cpuMs(pid) - (before[name] ?? 0)) / 100,
        unit: '% of a core',
        better: 'less',
      },
    ]);
  }
  const namespace = 'bench';
  const client = benchClient(cluster.kubeconfig, 32);
  await client.json('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  const bench: Bench = { client, kubeconfig: cluster.kubeconfig, namespace, pids };
  add(await createAndGet(bench, 2000));
  add(await heavyBody(bench, 100_000));
  add(await watchFanOut(bench, 100, 1000));
  add(await listPods(bench, 5000));
  add(await patchPod(bench, 2000));
  add(await protobuf(bench, 1000));
  // The first pod's sandbox makes the pause image.
  await podStart(bench, testImages.web1, 1);
  add(await podFloor(bench, docker, pause, 9));
  add(await podStart(bench, pause, 7));
  add(await deployment30(bench, pause));
  add(await idleWith30(bench, pause, place.instance));
  add(await probeCost());
  add(await serviceRoundTrip(bench, testImages.web1));
  add(await manyPods(bench, pause, healthPort));
  client.close();
  cluster.client.close();
} finally {
  const result = await down();
  if (result.code !== 0) console.error(result.stderr);
}

import { pool, type BenchClient } from './client.ts';
import { cpuMs, median, quantile } from './processes.ts';

export interface Row {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** CPU time of the apiserver for one operation. */
  readonly cpuMsPerOperation?: number;
  /** What upstream 1.36.2 did on two such cores, same load. */
  readonly upstream?: number;
  /** `more`: higher is better. */
  readonly better: 'more' | 'less';
}
export interface Bench {
  readonly client: BenchClient;
  readonly kubeconfig: string;
  readonly namespace: string;
  readonly pids: () => Readonly<Record<string, number>>;
}

const text = (seed: number, length: number): string => {
  let s = '';
  for (let x = seed * 2_654_435_761; s.length < length; ) {
    x = (Math.imul(x, 1_664_525) + 1_013_904_223) >>> 0;
    s += x.toString(36);
  }
  return s.slice(0, length);
};

/** A pod of about 6.8 KB as the server stores it: two containers with probes, ports, resources and environment. Nothing schedules it. */
export const pendingPod = (namespace: string, name: string): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace, labels: { app: 'bench', tier: 'list' }, annotations: { note: 'x'.repeat(200) } },
  spec: {
    schedulerName: 'nobody',
    terminationGracePeriodSeconds: 0,
    containers: ['main', 'side'].map((container) => ({
      name: container,
      image: 'registry.example.com/team/app:v1.2.3',
      imagePullPolicy: 'IfNotPresent',
      command: ['/bin/app', '--listen=:8080', '--log=info'],
      env: Array.from({ length: 8 }, (_, i) => ({ name: `SETTING_${i}`, value: `value-of-setting-${i}-${name}` })),
      ports: [{ name: 'http', containerPort: 8080 }],
      resources: { requests: { cpu: '100m', memory: '64Mi' }, limits: { cpu: '500m', memory: '256Mi' } },
      readinessProbe: { httpGet: { path: '/healthz', port: 8080 }, periodSeconds: 10 },
      volumeMounts: [{ name: 'data', mountPath: '/data' }],
    })),
    volumes: [{ name: 'data', emptyDir: {} }],
  },
});

/** Runs `work` and returns its result with the CPU time that the apiserver used meanwhile. */
export async function withCpu<T>(bench: Bench, work: () => Promise<T>): Promise<{ result: T; cpu: number }> {
  const pid = bench.pids()['apiserver'] ?? 0;
  const before = cpuMs(pid);
  const result = await work();
  return { result, cpu: cpuMs(pid) - before };
}

export async function createAndGet(bench: Bench, n: number): Promise<readonly Row[]> {
  const path = `/api/v1/namespaces/${bench.namespace}/configmaps`;
  const bodies = Array.from({ length: n }, (_, i) =>
    Buffer.from(
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: `bench-${i}`, labels: { app: 'bench' } },
        data: { payload: text(i + 1, 1024) },
      }),
    ),
  );
  const createAll = async (): Promise<{ perSecond: number; cpu: number }> => {
    const { result, cpu } = await withCpu(bench, () => pool(32, n, (i) => bench.client.request('POST', path, bodies[i])));
    return { perSecond: n / result.seconds, cpu: cpu / n };
  };
  // The first round finds a server that has compiled nothing yet; upstream's figure is the median of three, after smaller loads.
  const first = await createAll();
  const later: { perSecond: number; cpu: number }[] = [];
  for (let i = 0; i < 3; i++) {
    await bench.client.request('DELETE', path);
    later.push(await createAll());
  }
  const create = later.sort((a, b) => a.cpu - b.cpu)[1] ?? first;
  const get = await withCpu(bench, () => pool(32, n * 2, (i) => bench.client.request('GET', `${path}/bench-${i % n}`)));
  await bench.client.request('DELETE', path);
  return [
    {
      name: `create ConfigMap 1 KiB, 32 at once, first ${n}`,
      value: first.perSecond,
      unit: '/s',
      cpuMsPerOperation: first.cpu,
      better: 'more',
    },
    {
      name: 'create ConfigMap 1 KiB, 32 at once, then',
      value: create.perSecond,
      unit: '/s',
      cpuMsPerOperation: create.cpu,
      upstream: 1617,
      better: 'more',
    },
    {
      name: 'GET, 32 at once',
      value: (n * 2) / get.result.seconds,
      unit: '/s',
      cpuMsPerOperation: get.cpu / (n * 2),
      upstream: 2400,
      better: 'more',
    },
    { name: 'GET, 32 at once, p99', value: quantile(get.result.latenciesMs, 0.99), unit: 'ms', better: 'less' },
  ];
}

/** How long others wait while a body of very many values is worked on. */
export async function heavyBody(bench: Bench, keys: number): Promise<readonly Row[]> {
  const path = `/api/v1/namespaces/${bench.namespace}/configmaps?dryRun=All`;
  const data = Object.fromEntries(Array.from({ length: keys }, (_, i) => [`key-${i}`, '']));
  const body = Buffer.from(JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'heavy' }, data }));
  await bench.client.request('POST', path, body);
  let longest = 0;
  let over = false;
  const others = (async () => {
    while (!over) longest = Math.max(longest, (await bench.client.request('GET', '/livez')).ms);
  })();
  const { result, cpu } = await withCpu(bench, () => bench.client.request('POST', path, body));
  over = true;
  await others;
  if (result.status !== 201) throw new Error(`a ConfigMap of ${keys} keys is answered with ${result.status}`);
  return [
    {
      name: `a body of ${keys} keys (${(body.length / 2 ** 20).toFixed(1)} MiB)`,
      value: result.ms,
      unit: 'ms',
      cpuMsPerOperation: cpu,
      better: 'less',
    },
    { name: '  longest wait of others meanwhile', value: longest, unit: 'ms', better: 'less' },
  ];
}

export async function listPods(bench: Bench, n: number): Promise<readonly Row[]> {
  const path = `/api/v1/namespaces/${bench.namespace}/pods`;
  await pool(16, n, (i) => bench.client.request('POST', path, pendingPod(bench.namespace, `list-${i}`)));
  const list = await withCpu(bench, () => pool(1, 10, () => bench.client.request('GET', path)));
  const first = (await bench.client.request('GET', path)).body;
  const count = (JSON.parse(first.toString()) as { items: unknown[] }).items.length;
  if (count !== n) throw new Error(`a list of ${n} pods has ${count}`);
  const eight = await pool(8, 40, () => bench.client.request('GET', path));
  await bench.client.request('DELETE', `${path}?gracePeriodSeconds=0`);
  return [
    {
      name: `LIST of ${n} pods (${(first.length / 2 ** 20).toFixed(0)} MiB)`,
      value: median(list.result.latenciesMs),
      unit: 'ms',
      cpuMsPerOperation: list.cpu / 10,
      upstream: 397,
      better: 'less',
    },
    { name: `LIST of ${n} pods, 8 at once`, value: 40 / eight.seconds, unit: 'lists/s', upstream: 3.4, better: 'more' },
  ];
}

export async function watchFanOut(bench: Bench, watchers: number, writes: number): Promise<readonly Row[]> {
  const path = `/api/v1/namespaces/${bench.namespace}/configmaps`;
  const { metadata } = await bench.client.json<{ metadata: { resourceVersion: string } }>('GET', path);
  let events = 0;
  let done: () => void = () => undefined;
  const all = new Promise<void>((resolve) => {
    done = resolve;
  });
  const open = await Promise.all(
    Array.from({ length: watchers }, () =>
      bench.client.watch(`${path}?watch=1&resourceVersion=${metadata.resourceVersion}`, () => {
        events += 1;
        if (events === watchers * writes) done();
      }),
    ),
  );
  const started = performance.now();
  const { cpu } = await withCpu(bench, async () => {
    const body = (i: number): object => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: `watch-${i}` },
      data: { payload: text(i + 1, 1024) },
    });
    await pool(16, writes, (i) => bench.client.request('POST', path, body(i)));
    await all;
  });
  const seconds = (performance.now() - started) / 1000;
  for (const w of open) w.close();
  await bench.client.request('DELETE', path);
  return [
    {
      name: `watch: ${watchers} watchers, events delivered`,
      value: (watchers * writes) / seconds,
      unit: 'events/s',
      cpuMsPerOperation: cpu / (watchers * writes),
      upstream: 43_000,
      better: 'more',
    },
  ];
}

// CPU time per operation of the registry in one process, without HTTP: `node packages/apiserver/bench/registry.mjs [operation …]` after a build.
import { builtinResources, builtinSchemas } from '@skiff/api';
import { silentLogger, systemClock } from '@skiff/component-base';
import { createMemoryStore } from '@skiff/storage';
import { createRegistry } from '../dist/registry/registry.js';

const stop = new AbortController();
const store = createMemoryStore();
const registry = createRegistry(
  {
    definitions: builtinResources,
    schema: builtinSchemas,
    keyPrefix: '/registry',
    serviceClusterIpRanges: ['10.96.0.0/16'],
    serviceNodePortRange: { from: 30000, to: 32767 },
  },
  {
    store,
    clock: systemClock,
    log: silentLogger,
    admission: () => ({ mutate: async () => undefined, validate: async () => undefined }),
    subresources: () => [],
    authorizeCreate: async () => undefined,
  },
);
const running = registry.run(stop.signal);
await registry.ready(stop.signal);

const never = new AbortController().signal;
const request = (verb, resource, o = {}) => ({
  info: {
    isResourceRequest: true,
    path: '/',
    verb,
    apiPrefix: 'api',
    group: '',
    version: 'v1',
    namespace: 'default',
    resource,
    subresource: '',
    name: o.name ?? '',
    parts: [resource],
  },
  user: { name: 'bench', groups: [] },
  query: new URLSearchParams(o.query ?? ''),
  body: o.body === undefined ? Buffer.alloc(0) : Buffer.from(JSON.stringify(o.body)),
  contentType: o.contentType ?? 'application/json',
  output: { mediaType: 'json', pretty: false, ...(o.as === undefined ? {} : { as: o.as }) },
  userAgent: 'bench/1',
  signal: never,
  warnings: [],
});
const drain = (response) => {
  let bytes = 0;
  for (const piece of response.body) bytes += piece.length;
  return bytes;
};
const endpoint = (resource) => registry.lookup('', 'v1', resource, '');
async function call(verb, resource, o) {
  return drain(await endpoint(resource)[verb](request(verb, resource, o)));
}

async function measure(name, count, run, unit = 'op') {
  const startedMs = performance.now();
  const cpu = process.cpuUsage();
  const result = await run(count);
  const used = process.cpuUsage(cpu);
  const cpuUs = (used.user + used.system) / count;
  const wallMs = performance.now() - startedMs;
  console.log(
    `${name.padEnd(34)} ${cpuUs.toFixed(1).padStart(9)} CPU-µs/${unit}  ${((count / wallMs) * 1000).toFixed(0).padStart(8)} ${unit}/s  ${typeof result === 'string' ? result : ''}`,
  );
}
const inParallel = async (count, width, one) => {
  let next = 0;
  await Promise.all(
    Array.from({ length: width }, async () => {
      while (next < count) await one(next++);
    }),
  );
};

const pad = (bytes) => 'x'.repeat(bytes);
const configMap = (name) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, labels: { app: 'bench' } },
  data: { payload: pad(900) },
});
const pod = (name) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, labels: { app: 'bench', tier: 'x' }, annotations: { note: pad(1500) } },
  spec: {
    containers: Array.from({ length: 3 }, (_, i) => ({
      name: `c${i}`,
      image: 'registry.example.com/app:1',
      env: Array.from({ length: 12 }, (_, k) => ({ name: `VARIABLE_${k}`, value: pad(30) })),
      ports: [{ containerPort: 8080 + i }],
      resources: { requests: { cpu: '100m', memory: '64Mi' }, limits: { memory: '128Mi' } },
    })),
  },
});

const operations = {
  async create() {
    await inParallel(2000, 32, (i) => call('create', 'configmaps', { body: configMap(`warm-${i}`) }));
    await measure('create ConfigMap 1 KiB', 5000, (n) =>
      inParallel(n, 32, (i) => call('create', 'configmaps', { body: configMap(`c-${i}`) })),
    );
  },
  async update() {
    await call('create', 'configmaps', { body: configMap('u') });
    await measure('update ConfigMap 1 KiB', 5000, (n) =>
      inParallel(n, 1, (i) =>
        call('update', 'configmaps', { name: 'u', body: { ...configMap('u'), data: { payload: pad(900), i: String(i) } } }),
      ),
    );
    await measure('merge patch ConfigMap 1 KiB', 5000, (n) =>
      inParallel(n, 1, (i) =>
        call('patch', 'configmaps', { name: 'u', contentType: 'application/merge-patch+json', body: { data: { i: `p${i}` } } }),
      ),
    );
  },
  async get() {
    await call('create', 'configmaps', { body: configMap('g') });
    await inParallel(20000, 32, () => call('get', 'configmaps', { name: 'g' }));
    await measure('get ConfigMap 1 KiB', 100000, (n) => inParallel(n, 32, () => call('get', 'configmaps', { name: 'g' })));
  },
  async pods() {
    await measure('create Pod', 5000, (n) => inParallel(n, 32, (i) => call('create', 'pods', { body: pod(`p-${i}`) })));
    const bytes = await call('list', 'pods');
    await measure(`list 5,000 Pods (${(bytes / 1e6).toFixed(1)} MB)`, 20, (n) => inParallel(n, 1, () => call('list', 'pods')), 'list');
    await measure(
      'list 5,000 Pods, metadata',
      20,
      (n) => inParallel(n, 1, () => call('list', 'pods', { as: 'PartialObjectMetadataList' })),
      'list',
    );
    await measure(
      'list 5,000 Pods, selector',
      20,
      (n) => inParallel(n, 1, () => call('list', 'pods', { query: 'labelSelector=app%3Dbench' })),
      'list',
    );
    await measure('list 5,000 Pods, Table', 5, (n) => inParallel(n, 1, () => call('list', 'pods', { as: 'Table' })), 'list');
  },
  async watch() {
    const watchers = 100;
    const events = 3000;
    let got = 0;
    const ends = [];
    const sink = { write: (frame) => ((got += frame.length), 0), drained: async () => undefined, end() {}, destroy() {} };
    await call('create', 'configmaps', { body: configMap('w') });
    const clients = new AbortController();
    for (let i = 0; i < watchers; i++) {
      const r = { ...request('watch', 'configmaps', { query: 'watch=1&fieldSelector=metadata.name%3Dw' }), signal: clients.signal };
      ends.push(endpoint('configmaps').watch(r, () => sink));
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
    await measure(
      `update seen by ${watchers} watchers`,
      events * watchers,
      async () => {
        for (let i = 0; i < events; i++)
          await call('update', 'configmaps', { name: 'w', body: { ...configMap('w'), data: { payload: pad(900), i: String(i) } } });
        await new Promise((resolve) => setTimeout(resolve, 50));
        return `${(got / 1e6).toFixed(0)} MB`;
      },
      'event',
    );
    clients.abort();
    await Promise.all(ends);
  },
};

const asked = process.argv.slice(2);
for (const [name, run] of Object.entries(operations)) if (asked.length === 0 || asked.includes(name)) await run();
stop.abort();
await running;

import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createRegistry } from '../src/registry/registry.ts';
import { startTestServer, type TestServer } from './test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer(createRegistry);
  const binding = {
    metadata: { name: 'writers' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
    subjects: ['flood', 'calm'].map((name) => ({ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name })),
  };
  const made = await server.fetch('/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(binding),
  });
  expect(made.code).toBe(201);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

interface Result {
  readonly latencies: readonly number[];
  readonly codes: Readonly<Record<string, number>>;
}
function client(o: { user: string; sessions: number; streams: number; pauseMs: number }): {
  served(times: number): Promise<void>;
  stop(): Promise<Result>;
} {
  const body = JSON.stringify({ metadata: { generateName: 'x-' }, data: { text: 'x'.repeat(1000) } });
  const tls = { ca: server.pki.ca, cert: server.admin.cert, key: server.admin.key };
  const worker = new Worker(new URL('flood-client.mjs', import.meta.url), { workerData: { port: server.port, tls, body, ...o } });
  let onServed = (): void => undefined;
  const result = new Promise<Result>((resolve, reject) => {
    worker.on('message', (message: Result | 'served') => (message === 'served' ? onServed() : resolve(message)));
    worker.once('error', reject);
  });
  return {
    served: (times) => {
      const served = new Promise<void>((resolve) => (onServed = resolve));
      worker.postMessage(times);
      return Promise.race([served, result.then(() => undefined)]);
    },
    stop: () => {
      worker.postMessage('stop');
      return result;
    },
  };
}
const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

// How much sooner others are served depends on the machine: turn-gate.test.ts and queue-set's tests have the order.
it('serves others while one user sends hundreds at once', async () => {
  const calm = client({ user: 'calm', sessions: 1, streams: 1, pauseMs: 5 });
  const flood = client({ user: 'flood', sessions: 4, streams: 75, pauseMs: 0 });
  // Both are under way, and code is warm.
  await Promise.all([calm.served(5), flood.served(600)]);
  await Promise.all([calm.served(10), flood.served(600)]);
  const [others, one] = await Promise.all([calm.stop(), flood.stop()]);
  const [fast, slow] = [median(others.latencies), median(one.latencies)];
  console.log(`figure: 300 requests of one user at once take ${slow.toFixed(0)} ms each, those of another user ${fast.toFixed(0)} ms`);
  expect(Object.keys(others.codes)).toEqual(['201']);
});

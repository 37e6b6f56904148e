import { createEtcdStore, createMemoryStore, createRedisStore, type RevisionedStore } from '@skiff/storage';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { startCuttingProxy } from '../servers/cutting-proxy.ts';
import { findEtcdImages, startEtcd } from '../servers/etcd.ts';
import { findRedisImage, startRedis } from '../servers/redis.ts';
import type { ServerContainer } from '../servers/server.ts';
import type { Random } from './random.ts';
import { type ModelConfig, runModel } from './run-model.ts';

/** `SKIFF_MODEL_SEED` runs one seed again, `SKIFF_MODEL_SECONDS` changes how long. */
const seed = Number(process.env['SKIFF_MODEL_SEED'] ?? Date.now() % 1_000_000_000);
const durationMs = Number(process.env['SKIFF_MODEL_SECONDS'] ?? 10) * 1000;
const leastWrites = 100;

async function check(config: Omit<ModelConfig, 'seed' | 'durationMs' | 'leastWrites'>): Promise<void> {
  const { faults, counts } = await runModel({ ...config, seed, durationMs, leastWrites });
  console.log(`seed ${seed}: ${JSON.stringify(counts)}`);
  expect({ seed, faults: faults.slice(0, 20), more: Math.max(0, faults.length - 20) }).toEqual({ seed, faults: [], more: 0 });
  expect(counts['committed']).toBeGreaterThan(leastWrites);
}

/** Cuts every connection, makes them silent for a while, or kills the server. */
async function runThroughFaults(server: ServerContainer, open: (port: number) => ReturnType<ModelConfig['open']>): Promise<void> {
  await using proxy = await startCuttingProxy(server);
  const fault = async (random: Random): Promise<void> => {
    const dice = random.next();
    if (dice < 0.6) proxy.cut();
    else if (dice < 0.8) {
      proxy.stall();
      await sleep(random.below(500));
      if (random.next() < 0.5) proxy.cut();
      proxy.resume();
    } else {
      await server.kill();
      await server.start();
    }
  };
  await check({ open: () => open(proxy.port), fault });
}

/** A client that leaves the store open when it is closed. */
const sharedStore = (store: RevisionedStore): RevisionedStore => ({
  get: (key, o) => store.get(key, o),
  list: (prefix, o) => store.list(prefix, o),
  put: (key, value, o) => store.put(key, value, o),
  delete: (key, o) => store.delete(key, o),
  currentRevision: () => store.currentRevision(),
  watch: (prefix, o) => store.watch(prefix, o),
  compact: (upTo) => store.compact(upTo),
  compactedRevision: () => store.compactedRevision(),
  ping: () => store.ping(),
  [Symbol.asyncDispose]: () => Promise.resolve(),
});

const etcdImages = await findEtcdImages();
const redisImage = await findRedisImage();

describe('a revisioned store under random load and faults', { timeout: durationMs + 180_000 }, () => {
  it('memory', async () => {
    await using store = createMemoryStore();
    await check({ open: () => sharedStore(store) });
  });

  for (const { version, image } of etcdImages) {
    it(`etcd ${version}`, async () => {
      await using server = await startEtcd(image);
      await runThroughFaults(server, (port) => createEtcdStore({ endpoints: [`http://127.0.0.1:${port}`] }));
    });
  }
  if (etcdImages.length === 0) it.skip('etcd: no image of it could be had', () => {});

  if (redisImage === undefined) it.skip('Redis: no image of it could be had', () => {});
  else {
    it('Redis', async () => {
      await using server = await startRedis(redisImage, { appendOnly: true });
      await runThroughFaults(server, (port) => createRedisStore({ url: `redis://127.0.0.1:${port}` }));
    });
  }
});

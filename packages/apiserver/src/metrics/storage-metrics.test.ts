import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { registerStorageMetrics } from './storage-metrics.ts';

it.each([
  ['is told', () => Promise.resolve(4096), true],
  ['is left out where there is none', () => Promise.resolve(undefined), false],
  ['is left out while the store is away', () => Promise.reject(new Error('away')), false],
])('the size of the database %s', async (_, databaseBytes, isThere) => {
  const registry = new Registry();
  registerStorageMetrics([registry], { storageStatistics: () => [] }, { databaseBytes });
  const text = await registry.metrics();
  expect(text.includes('apiserver_storage_size_bytes{storage_cluster_id="etcd-0"} 4096')).toBe(isThere);
});

import type { DurableStore } from '@skiff/storage';
import type { Registry } from 'prom-client';
import type { ResourceRegistry } from '../contract.ts';
import { registerSampled } from './sampled-metric.ts';

/** How many objects there are, and how many changes came; as the caches have it. */
export function registerStorageMetrics(
  registers: readonly Registry[],
  registry: Pick<ResourceRegistry, 'storageStatistics'>,
  store: Pick<DurableStore, 'databaseBytes'>,
): void {
  const size = 'apiserver_storage_size_bytes';
  registerSampled(registers, {
    name: size,
    help: 'What the database of the store takes on disk.',
    type: 'gauge',
    sample: async () => {
      // A store that is away shows in other metrics; these must come all the same.
      const bytes = await store.databaseBytes?.().catch(() => undefined);
      return bytes === undefined ? [] : [{ metricName: size, labels: { storage_cluster_id: 'etcd-0' }, value: bytes }];
    },
  });
  const objects = 'apiserver_storage_objects';
  registerSampled(registers, {
    name: objects,
    help: 'Objects stored, by resource.',
    type: 'gauge',
    sample: () =>
      registry.storageStatistics().map((s) => ({
        metricName: objects,
        labels: { resource: s.group === '' ? s.resource : `${s.resource}.${s.group}` },
        value: s.objects,
      })),
  });
  const events = 'apiserver_storage_events_received_total';
  registerSampled(registers, {
    name: events,
    help: 'Changes received from the store, by resource.',
    type: 'counter',
    sample: () =>
      registry.storageStatistics().flatMap((s) => {
        const { group, resource } = s;
        return s.events === 0 ? [] : [{ metricName: events, labels: { group, resource }, value: s.events }];
      }),
  });
}

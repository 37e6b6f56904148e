import { FakeClock, silentLogger } from '@skiff/component-base';
import { expect, it } from 'vitest';
import type { NodeInfo } from './csi-node-service.ts';
import { createVolumeLimits, type VolumeLimitsDeps } from './volume-limits.ts';

it('asks drivers again how many volumes there can be, as often as they want', async () => {
  const clock = new FakeClock();
  let count = 5;
  const told: [string, number][] = [];
  const refresh = createVolumeLimits({
    client: {
      get: async (_: unknown, { name }: { name: string }) => ({ spec: name === 'often' ? { nodeAllocatableUpdatePeriodSeconds: 90 } : {} }),
    },
    drivers: {
      names: () => ['often', 'never'],
      get: () => ({ getInfo: async () => ({ nodeId: 'n', maxVolumesPerNode: count, topology: {} }) }),
    },
    record: { install: async (name: string, info: NodeInfo) => void told.push([name, info.maxVolumesPerNode]) },
    clock,
    log: silentLogger,
  } as unknown as VolumeLimitsDeps);
  const { signal } = new AbortController();
  await refresh(signal);
  await clock.advance(60_000);
  await refresh(signal);
  expect(told).toEqual([]);
  count = 3;
  await clock.advance(60_000);
  await refresh(signal);
  await refresh(signal);
  expect(told).toEqual([['often', 3]]);
});

import { systemClock } from '@skiff/component-base';
import { describe, expect, it } from 'vitest';
import { containerConfig, sandboxConfig } from '../conformance.ts';
import type { ContainerStats } from '../container.ts';
import type { ContainerRuntime } from '../contract.ts';
import { createFakeRuntime } from '../fake/index.ts';
import { parseNetDev } from './net-dev.ts';
import type { ServedParts } from './serve-calls.ts';
import { createStatsCalls } from './serve-stats-calls.ts';

type CallByName = Record<string, (request: object, signal: AbortSignal) => Promise<{ stats: object }>>;
const never = new AbortController().signal;

const stats = (id: string, n: number): ContainerStats => ({
  id,
  name: '',
  timestampMs: 1000 + n,
  cpuUsageNanoSeconds: n,
  memoryUsageBytes: 10 * n,
  memoryWorkingSetBytes: 9 * n,
  memoryRssBytes: 8 * n,
  pageFaults: 7 * n,
  majorPageFaults: n,
  processCount: n,
});

describe('statistics of sandboxes', () => {
  const make = async () => {
    const fake = createFakeRuntime({ clock: systemClock });
    await fake.images.pullImage('fake:1', undefined, never);
    const config = sandboxConfig({ labels: { app: 'a' }, annotations: { note: 'kept', 'io.skiff.served.log-directory': '/logs' } });
    const { id } = await fake.runtime.runPodSandbox(config, { signal: never });
    const start = async (name: string): Promise<string> => {
      const container = await fake.runtime.createContainer(id, containerConfig('fake:1', ['pause'], { metadata: { name, attempt: 1 } }));
      await fake.runtime.startContainer(container);
      return container;
    };
    const [first, second, ending] = [await start('first'), await start('second'), await start('ending')];
    const known = new Map([id, first, second].map((key, i) => [key, stats(key, i + 1)]));
    const runtime = { ...fake.runtime, containerStats: async (key: string) => known.get(key) };
    const target: ContainerRuntime = { ...fake, runtime };
    const calls = createStatsCalls({ target, clock: systemClock } as unknown as ServedParts) as unknown as CallByName;
    const call = async (name: string, request: object) => (await calls[name]?.(request, never))?.stats;
    return { fake, call, id, config, first, second, ending };
  };

  it('are what it and its containers use together', async () => {
    const { call, id, config, first, second } = await make();
    const told = {
      attributes: { id, metadata: config.metadata, labels: { app: 'a' }, annotations: { note: 'kept' } },
      linux: {
        cpu: { timestamp: 1003e6, usageCoreNanoSeconds: { value: 6 } },
        memory: { usageBytes: { value: 60 }, workingSetBytes: { value: 54 }, rssBytes: { value: 48 } },
        process: { processCount: { value: 6 } },
        containers: [{ attributes: { id: first, metadata: { name: 'first', attempt: 1 } } }, { attributes: { id: second } }],
      },
    };
    expect(await call('PodSandboxStats', { podSandboxId: id })).toMatchObject(told);
    expect(await call('ListPodSandboxStats', { filter: null })).toMatchObject([told]);
    expect(await call('ListPodSandboxStats', { filter: { id: '', labelSelector: { app: 'a' } } })).toHaveLength(1);
    expect(await call('ListPodSandboxStats', { filter: { id: '', labelSelector: { app: 'b' } } })).toEqual([]);
    expect(await call('ListContainerStats', { filter: null })).toHaveLength(2);
  });

  it('are none of what does not run', async () => {
    const { fake, call, id, ending } = await make();
    await expect(call('ContainerStats', { containerId: ending })).rejects.toMatchObject({ kind: 'not-found' });
    await fake.runtime.stopPodSandbox(id);
    await expect(call('PodSandboxStats', { podSandboxId: id })).rejects.toMatchObject({ kind: 'conflict' });
    await expect(call('PodSandboxStats', { podSandboxId: 'none' })).rejects.toMatchObject({ kind: 'not-found' });
    expect(await call('ListPodSandboxStats', { filter: null })).toEqual([]);
  });
});

it('reads the counters of interfaces', () => {
  const text = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:    5000      50    0    0    0     0          0         0     5000      50    0    0    0     0       0          0
  eth0:12345678      20    1    2    0     0          0         0      900      10    3    4    0     0       0          0
`;
  expect(parseNetDev(text)).toEqual([{ name: 'eth0', rxBytes: 12345678, rxErrors: 1, txBytes: 900, txErrors: 3 }]);
});

import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { silentLogger, systemClock } from '@skiff/component-base';
import { createAllocations } from './allocations.ts';

const directories: string[] = [];
afterEach(async () => {
  for (const d of directories.splice(0)) await rm(d, { recursive: true });
});

describe('what pods were granted', () => {
  it('is known to the next kubelet, but for pods that are gone by then', async () => {
    const directory = await mkdtemp(path.join(os.tmpdir(), 'allocations-'));
    directories.push(directory);
    const deps = { clock: { ...systemClock, sleep: async () => undefined }, log: silentLogger };
    const granted = new Map([['c', { requests: { cpu: '1' } }]]);
    const live = async (before: readonly string[], act: (a: ReturnType<typeof createAllocations>) => Promise<void>): Promise<void> => {
      const stop = new AbortController();
      const a = createAllocations(directory, deps);
      await a.load();
      const running = a.run(stop.signal, Promise.resolve(), () => before);
      await act(a);
      stop.abort();
      await running;
    };
    await live([], async (a) => {
      await Promise.resolve();
      a.set('u1', granted);
      a.set('u2', granted);
    });
    await live(['u1'], async (a) => {
      expect(a.get('u1')).toEqual(granted);
      await expect.poll(() => a.get('u2')).toBeUndefined();
    });
    await live(['u1'], async (a) => expect([a.get('u1'), a.get('u2')]).toEqual([granted, undefined]));
  });
});

import { mkdirSync, mkdtempSync, rmSync, statfsSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Client } from '@skiff/client';
import { createHostMount } from '../host/host-mount.ts';
import { type RunCommand, runCommand } from '../host/run-command.ts';
import { createClaimStats } from './claim-stats.ts';
import { podsDirectory } from './pod-paths.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(path.join(os.tmpdir(), 'claims-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

it('tells how full volumes are, and does not wait for one that does not answer', async () => {
  for (const name of ['good', 'dead'])
    mkdirSync(path.join(podsDirectory(root), 'uid/volumes/kubernetes.io~nfs', name), { recursive: true });
  const asked: string[] = [];
  const run: RunCommand = (command, args) => {
    const folder = path.basename(args.at(-1) ?? '');
    asked.push(folder);
    return folder === 'dead' ? new Promise(() => undefined) : runCommand(command, args);
  };
  let now = 0;
  /** What runs out when a volume does not answer. */
  const timers = new Set<() => void>();
  const clock = {
    now: () => now,
    after: (_delayMs: number, fn: () => void): Disposable => {
      timers.add(fn);
      return { [Symbol.dispose]: () => void timers.delete(fn) };
    },
  };
  let away = true;
  const get = async (): Promise<object> => {
    if (away) throw new Error('the API is away');
    return { spec: { claimRef: { namespace: 'n', name: 'claim' } } };
  };
  const client = { get } as unknown as Client;
  const hostMount = await createHostMount(runCommand, async () => undefined);
  const drivers = { has: () => false, get: () => expect.fail('there is no driver') };
  const stats = createClaimStats({ rootDirectory: root }, { client, hostMount, run, drivers, clock: clock as never });
  const { blocks, bsize, files } = statfsSync(root);
  const good = { podUid: 'uid', namespace: 'n', claimName: 'claim', capacityBytes: blocks * bsize, inodes: files };
  // Whose they are is asked again when the API is back.
  expect([await stats(), asked]).toEqual([[], []]);
  away = false;
  now += 61_000;
  const first = stats();
  // The other one has answered.
  await vi.waitFor(() => expect([timers.size, asked.includes('dead')]).toEqual([1, true]), 20_000);
  for (const runOut of timers) runOut();
  expect(await first).toMatchObject([good]);
  now += 61_000;
  expect(await stats()).toMatchObject([{ ...good, atMs: 122_000 }]);
  expect(asked.sort()).toEqual(['dead', 'good', 'good']);
});

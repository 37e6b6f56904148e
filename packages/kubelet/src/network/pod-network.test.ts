import { systemClock, silentLogger } from '@skiff/component-base';
import { mkdtempSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { networkNames } from './names.ts';
import { createPodNetwork, type PodNetwork } from './pod-network.ts';

/** Ready, over a host that takes every command. `ran`: the commands. */
async function startNetwork(): Promise<AsyncDisposable & { readonly network: PodNetwork; readonly ran: string[] }> {
  const ran: string[] = [];
  const network = createPodNetwork(
    {
      instance: 'test',
      nodeAddress: '127.0.0.1',
      clusterCidrs: ['10.1.0.0/16'],
      nonMasqueradeCidrs: [],
      vxlan: { vni: 1, port: 8474 },
      file: path.join(mkdtempSync(path.join(os.tmpdir(), 'network-')), 'nodes.json'),
    },
    {
      run: async (program, args) => {
        ran.push([program, ...args].join(' '));
        return '';
      },
      clock: systemClock,
      log: silentLogger,
      sandboxes: async () => [],
    },
  );
  const stop = new AbortController();
  const running = network.run(stop.signal);
  network.setPodCidrs(['10.1.2.0/29']);
  await network.waitReady(10_000, stop.signal);
  return {
    network,
    ran,
    [Symbol.asyncDispose]: async () => {
      stop.abort(new Error('the test is over'));
      await running;
    },
  };
}

describe('addresses of pods', () => {
  // A /29 has five: without network, gateway and broadcast.
  it('come back when a pod is over, of sandboxes too that nobody saw go', async () => {
    await using made = await startNetwork();
    const { network, ran } = made;
    const taken = [0, 1, 2, 3].map((attempt) => network.allocate({ uid: 'a', attempt })[0]);
    network.allocate({ uid: 'aa', attempt: 0 });
    expect(new Set(taken).size).toBe(4);
    expect(() => network.allocate({ uid: 'b', attempt: 0 })).toThrow('no address is left');
    await network.release('a');
    expect(ran.filter((c) => c.startsWith(`ip link delete dev ${networkNames('test').linkPrefix}`)).length).toBe(4);
    for (let i = 0; i < 4; i++) network.allocate({ uid: 'b', attempt: i });
    expect(() => network.allocate({ uid: 'c', attempt: 0 })).toThrow('no address is left');
  });

  it('are not used up by attempts at one sandbox', async () => {
    await using made = await startNetwork();
    for (let i = 0; i < 20; i++) made.network.allocate({ uid: 'a', attempt: 0 });
    expect(made.network.allocate({ uid: 'b', attempt: 0 })).toHaveLength(1);
  });
});

/** Runs the pod network of a host in that host's network namespace; told by IPC what the kubelet would tell it. */
import { createLogger, systemClock } from '@skiff/component-base';
import { runCommand } from '../../src/host/run-command.ts';
import { cleanUpPodNetwork } from '../../src/network/clean-up.ts';
import type { HostPort } from '../../src/network/host-port.ts';
import type { Peer } from '../../src/network/nodes/peer.ts';
import { createPodNetwork, type NetworkOwner, type PodNetwork } from '../../src/network/pod-network.ts';

interface Start {
  readonly instance: string;
  readonly nodeAddress: string;
  readonly clusterCidrs: readonly string[];
  readonly file: string;
}

const log = createLogger('host', process.env['SKIFF_TEST_LOG'] ?? 'fatal');
const pids = new Map<string, { owner: NetworkOwner; pid: number }>();
const deps = { run: runCommand, clock: systemClock, log, sandboxes: async () => [...pids.values()] };
let running: { network: PodNetwork; stop: AbortController; done: Promise<void> } | undefined;
const network = (): PodNetwork => {
  if (running === undefined) throw new Error('not started');
  return running.network;
};

const operations: Record<string, (o: never) => Promise<unknown>> = {
  start: async (o: Start) => {
    const config = { ...o, nonMasqueradeCidrs: [], vxlan: { vni: 4711, port: 8474 } };
    const stop = new AbortController();
    const made = createPodNetwork(config, deps);
    running = { network: made, stop, done: made.run(stop.signal) };
    return undefined;
  },
  podCidrs: async (cidrs: readonly string[]) => network().setPodCidrs(cidrs),
  peers: async (peers: readonly Peer[]) => network().setPeers(peers),
  attach: async ({ owner, pid, hostPorts }: { owner: NetworkOwner; pid: number; hostPorts: readonly HostPort[] }) => {
    await network().waitReady(60_000, new AbortController().signal);
    const addresses = network().allocate(owner);
    await network().attach(owner, { pid, addresses, hostPorts });
    pids.set(owner.uid, { owner, pid });
    return addresses[0];
  },
  detach: async (owner: NetworkOwner) => network().detach(owner),
  stop: async () => {
    running?.stop.abort();
    await running?.done;
    running = undefined;
  },
  cleanUp: async (o: { instance: string; clusterCidrs: readonly string[] }) => cleanUpPodNetwork(o, deps),
};

process.on('message', (m: { id: number; operation: string; options: never }) => {
  void (async () => {
    try {
      process.send?.({ id: m.id, result: await operations[m.operation]?.(m.options) });
    } catch (error) {
      process.send?.({ id: m.id, error: (error as Error).message });
    }
  })();
});
process.on('disconnect', () => process.exit(0));
process.send?.({ id: 0 });

import { isDeepStrictEqual } from 'node:util';
import { aborted, childSignal, type Clock, type Logger, supervise } from '@skiff/component-base';
import type { RunCommand } from '../host/run-command.ts';
import { createHostFirewall } from './host-firewall.ts';
import { type HostPort, type PodHostPorts, usesLoopback } from './host-port.ts';
import type { FirewallRules } from './firewall-plan.ts';
import { type AddressPool, createAddressPool } from './ipam.ts';
import { networkNames, podLink } from './names.ts';
import { createNodeNetwork } from './nodes/node-network.ts';
import type { Peer } from './nodes/peer.ts';
import { probeAddress } from './nodes/probe.ts';
import { deviceMtu, uplinkDevice, vxlanOverhead } from './nodes/uplink.ts';
import { ensureUnreachable, hostSource, isWired, openForLoopback, setPodMtu, unwirePod, wirePod } from './wiring.ts';

/** A sandbox as the network knows it. */
export interface NetworkOwner {
  readonly uid: string;
  readonly attempt: number;
}

export interface PodNetworkConfig {
  readonly instance: string;
  readonly nodeAddress: string;
  /** Ranges of all pods of the cluster. */
  readonly clusterCidrs: readonly string[];
  /** Further destinations that see pods' own addresses. */
  readonly nonMasqueradeCidrs: readonly string[];
  readonly vxlan: { readonly vni: number; readonly port: number };
  /** Keeps what is known of the other nodes. */
  readonly file: string;
}

export interface NetworkStatus {
  readonly ready: boolean;
  readonly message: string;
}

export interface PodNetwork {
  /** The node's ranges became known, or changed: pods that run keep their addresses. */
  setPodCidrs(cidrs: readonly string[]): void;
  /** The node's ranges as far as they are known. */
  podCidrs(): readonly string[];
  /** All other nodes, once they are known for certain. */
  setPeers(peers: readonly Peer[]): void;
  /** Whether pods can get addresses; `message` says why not, for the node's condition and pods' events. */
  status(): NetworkStatus;
  /** Whether the pods of other nodes can be reached, as far as this host goes. */
  routes(): NetworkStatus;
  /** Resolves when it is ready, or after `limitMs`: right after the start it is a matter of a moment. */
  waitReady(limitMs: number, signal: AbortSignal): Promise<void>;
  /** Addresses for a sandbox that is going to be made, primary first. Throws while not ready or when none is left. */
  allocate(owner: NetworkOwner): readonly string[];
  /** Notes addresses and host ports of a sandbox that runs already. Resolves with false when its wire is gone. */
  adopt(owner: NetworkOwner, o: { readonly addresses: readonly string[]; readonly hostPorts: readonly HostPort[] }): Promise<boolean>;
  /** Connects a running sandbox and opens its host ports. `pid`: a process in its network namespace. */
  attach(
    owner: NetworkOwner,
    o: { readonly pid: number; readonly addresses: readonly string[]; readonly hostPorts: readonly HostPort[] },
  ): Promise<void>;
  /** Cuts the wire, closes the host ports and lets the addresses rest. Idempotent. */
  detach(owner: NetworkOwner): Promise<void>;
  /** Detaches all that a pod has, of sandboxes too that somebody else has removed. */
  release(uid: string): Promise<void>;
  run(signal: AbortSignal): Promise<void>;
}

export interface PodNetworkDeps {
  readonly run: RunCommand;
  readonly clock: Clock;
  readonly log: Logger;
  /** Processes in the network namespaces of the sandboxes that run, with whose they are. */
  readonly sandboxes: () => Promise<readonly { readonly owner: NetworkOwner; readonly pid: number }[]>;
}

const retryMs = 1_000;
/** Nothing but new ranges makes more to prepare, and these say so. */
const settledMs = 60_000;

export function createPodNetwork(config: PodNetworkConfig, deps: PodNetworkDeps): PodNetwork {
  const { run, clock, log } = deps;
  const names = networkNames(config.instance);
  const adopted = new Map<string, readonly string[]>();
  const hostPorts = new Map<string, PodHostPorts>();
  let podCidrs: readonly string[] = [];
  let pool: AddressPool | undefined;
  let mtu: number | undefined;
  let problem = 'the node has no pod CIDR yet';
  let peers: readonly Peer[] = [];
  let start = (): void => undefined;
  const known = new Promise<void>((resolve) => {
    start = resolve;
  });

  const rules = (): FirewallRules => ({
    podCidrs,
    nonMasqueradeCidrs: [...config.clusterCidrs, ...config.nonMasqueradeCidrs],
    peers,
    vxlanPort: config.vxlan.port,
    hostPorts: [...hostPorts.values()],
    hostSource: hostSource(config.nodeAddress),
  });
  const firewall = createHostFirewall({ names, rules: rules() }, { run, clock, log });
  const nodes = createNodeNetwork(
    { names, nodeAddress: config.nodeAddress, clusterCidrs: config.clusterCidrs, vxlan: config.vxlan, file: config.file },
    {
      run,
      clock,
      log,
      probe: (from, to) => probeAddress(from, to, clock),
      onPeers: (next) => {
        peers = next;
        firewall.update(rules());
      },
      onMtu: (next) => {
        const before = mtu;
        mtu = next;
        if (before !== undefined && before !== next) void changeMtu(next);
      },
    },
  );

  const changeMtu = async (next: number): Promise<void> => {
    log.info({ mtu: next }, 'the MTU of the host has changed; pods follow');
    for (const { owner, pid } of await deps.sandboxes().catch(() => [])) {
      await setPodMtu(run, { link: podLink(names, owner.uid, owner.attempt), pid }, next).catch((error: unknown) =>
        log.warn({ err: error, pod: owner.uid }, "a pod's MTU could not be changed"),
      );
    }
  };
  const keyOf = (o: NetworkOwner): string => `${o.uid}/${o.attempt}`;
  const ownerOf = (key: string): NetworkOwner => {
    const at = key.lastIndexOf('/');
    return { uid: key.slice(0, at), attempt: Number(key.slice(at + 1)) };
  };
  const take = (owner: string, addresses: readonly string[]): void => {
    for (const address of addresses) {
      try {
        pool?.adopt(address, owner);
      } catch (error) {
        log.error({ err: error, address, owner }, 'two sandboxes claim one address');
      }
    }
  };
  const openPorts = (owner: NetworkOwner, [address]: readonly string[], ports: readonly HostPort[]): void => {
    if (address === undefined || ports.length === 0) return;
    hostPorts.set(keyOf(owner), { address, ports });
    firewall.update(rules());
  };
  /** A client that goes on sending from one port would go on being led to the pod that had the port before. */
  const forgetDatagrams = async (ports: readonly HostPort[]): Promise<void> => {
    for (const p of ports.filter((o) => o.protocol === 'UDP')) {
      // Without the program such a client is led there until it pauses for half a minute. With nothing to forget it fails.
      await run('conntrack', ['-D', '-p', 'udp', '--orig-port-dst', String(p.hostPort)]).catch((error: unknown) =>
        log.debug({ err: error, port: p.hostPort }, 'no connections of a host port were forgotten'),
      );
    }
  };
  const detach = async (owner: NetworkOwner): Promise<void> => {
    adopted.delete(keyOf(owner));
    if (hostPorts.delete(keyOf(owner))) firewall.update(rules());
    await unwirePod(run, podLink(names, owner.uid, owner.attempt));
    pool?.release(keyOf(owner));
  };
  const setPodCidrs = (cidrs: readonly string[]): void => {
    // Pods get IPv4 addresses; ranges of the other family are kept for whoever asks.
    const next = cidrs.filter((c) => !c.includes(':'));
    const [first] = next;
    if (first === undefined || isDeepStrictEqual(next, podCidrs)) return;
    if (podCidrs.length > 0) log.warn({ had: podCidrs, now: next }, "the node's pod CIDR has changed; pods that run keep their addresses");
    podCidrs = next;
    pool = createAddressPool(first, clock);
    for (const [owner, addresses] of adopted) take(owner, addresses);
    problem = 'the network is being prepared';
    nodes.setPodCidrs(next);
    firewall.update(rules());
    wakePreparation();
    start();
  };
  let wakePreparation = (): void => undefined;
  const prepare = async (): Promise<void> => {
    mtu ??= deviceMtu(uplinkDevice(config.nodeAddress)) - vxlanOverhead;
    const ranges = [...config.clusterCidrs.filter((c) => !c.includes(':')), ...podCidrs];
    await Promise.all([firewall.ensure(), ...ranges.map((cidr) => ensureUnreachable(run, cidr))]);
    problem = '';
  };
  /** A range may come a second time, when the Node was made anew. */
  const keepPrepared = async (signal: AbortSignal): Promise<void> => {
    let prepared: readonly string[] = [];
    while (!signal.aborted) {
      if (!isDeepStrictEqual(prepared, podCidrs)) {
        const wanted = podCidrs;
        try {
          await prepare();
          prepared = wanted;
          continue;
        } catch (error) {
          problem = (error as Error).message;
          log.error({ err: error }, 'the pod network could not be prepared; trying again');
        }
      }
      using child = childSignal(signal);
      wakePreparation = () => child.abort();
      await clock.sleep(isDeepStrictEqual(prepared, podCidrs) ? settledMs : retryMs, child.signal).catch(() => undefined);
    }
  };

  return {
    setPodCidrs,
    podCidrs: () => podCidrs,
    setPeers: (next) => nodes.setPeers(next),
    status: () => ({ ready: problem === '', message: problem }),
    routes: () => nodes.status(),
    waitReady: async (limitMs, signal) => {
      const untilMs = clock.monotonicMs() + limitMs;
      while (problem !== '' && clock.monotonicMs() < untilMs) await clock.sleep(20, signal);
    },
    allocate: (owner) => {
      if (pool === undefined || problem !== '') throw new Error(`network is not ready: ${problem}`);
      // Of a sandbox that is gone without a trace.
      pool.release(keyOf(owner));
      return [pool.allocate(keyOf(owner))];
    },
    adopt: async (owner, { addresses, hostPorts: ports }) => {
      adopted.set(keyOf(owner), addresses);
      take(keyOf(owner), addresses);
      openPorts(owner, addresses, ports);
      const link = podLink(names, owner.uid, owner.attempt);
      if (!(await isWired(link))) return false;
      if (usesLoopback(ports)) await openForLoopback(link);
      return true;
    },
    attach: async (owner, { pid, addresses, hostPorts: ports }) => {
      const [address] = addresses;
      if (address === undefined) throw new Error('a pod needs an address');
      const wire = { link: podLink(names, owner.uid, owner.attempt), address, pid };
      await wirePod(run, wire, { mtu: mtu ?? 1500 - vxlanOverhead, nodeAddress: config.nodeAddress, hostPid: process.pid });
      if (ports.length === 0) return;
      if (usesLoopback(ports)) await openForLoopback(wire.link);
      openPorts(owner, addresses, ports);
      await firewall.ensure();
      await forgetDatagrams(ports);
    },
    detach,
    release: async (uid) => {
      const owners = new Set([...adopted.keys(), ...hostPorts.keys(), ...(pool?.owners() ?? [])]);
      for (const key of owners) {
        const owner = ownerOf(key);
        if (owner.uid === uid) await detach(owner);
      }
    },
    run: async (signal) => {
      // Routes and rules come back without the control plane, as they were.
      const before = await nodes.load();
      if (before !== undefined && podCidrs.length === 0) setPodCidrs(before.podCidrs);
      await Promise.race([known, aborted(signal)]);
      if (signal.aborted) return;
      const o = { signal, clock, log };
      await Promise.all([
        supervise('pod network', keepPrepared, o),
        supervise('node routes', (s) => nodes.run(s), o),
        supervise('packet filter', (s) => firewall.run(s), o),
      ]);
    },
  };
}

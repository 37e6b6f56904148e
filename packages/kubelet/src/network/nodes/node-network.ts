import { access } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import { childSignal, type Clock, type Logger } from '@skiff/component-base';
import type { RunCommand } from '../../host/run-command.ts';
import type { NetworkNames } from '../names.ts';
import { initialPath, nextPath, type Path, type PathState, type ProbeResult } from './choose-path.ts';
import { applyRoutes, applyTunnel, ownRoutes } from './kernel-state.ts';
import { directAddress, type Peer, tunnelAddress, tunnelMac } from './peer.ts';
import { loadNodes, type RememberedNodes, saveNodes } from './remembered-nodes.ts';
import { type NodesPlan, renderNodes } from './render-nodes.ts';
import { deviceMtu, findOnLink, type KernelRoute, parseRoutes, readRoutes, uplinkDevice, vxlanOverhead } from './uplink.ts';
import { ensureVxlan, removeVxlan } from './vxlan.ts';

export interface NodeNetworkConfig {
  readonly names: NetworkNames;
  readonly nodeAddress: string;
  readonly clusterCidrs: readonly string[];
  readonly vxlan: { readonly vni: number; readonly port: number };
  /** Where the nodes are remembered. */
  readonly file: string;
}

/** The ways from this host to the pods of all others, kept as they should be whatever happens to the host's interfaces. */
export interface NodeNetwork {
  /** What an earlier run knew. */
  load(): Promise<RememberedNodes | undefined>;
  setPodCidrs(cidrs: readonly string[]): void;
  /** All other nodes, once they are known for certain. */
  setPeers(peers: readonly Peer[]): void;
  /** Whether the ways that should be there are there; `message` says what is in the way. */
  status(): { readonly ready: boolean; readonly message: string };
  /** For diagnosis. */
  paths(): ReadonlyMap<string, Path>;
  run(signal: AbortSignal): Promise<void>;
}

interface Deps {
  readonly run: RunCommand;
  readonly clock: Clock;
  readonly log: Logger;
  readonly probe: (from: string, to: string) => Promise<boolean>;
  readonly onPeers: (peers: readonly Peer[]) => void;
  readonly onMtu: (mtu: number) => void;
}

const checkIntervalMs = 2_000;
/** Without other nodes only the MTU may change. */
const aloneIntervalMs = 10_000;
const retryMs = 1_000;

export function createNodeNetwork(config: NodeNetworkConfig, deps: Deps): NodeNetwork {
  const { names, nodeAddress } = config;
  const { run, clock, log } = deps;
  const owner = { vxlanLink: names.vxlanLink, clusterCidrs: config.clusterCidrs };
  const states = new Map<string, PathState>();
  let podCidr: string | undefined;
  let podCidrs: readonly string[] = [];
  let peers: readonly Peer[] = [];
  let remembered = new Map<string, Path>();
  let onLink: ReadonlyMap<string, string> = new Map();
  /** Destinations for which no route could be made last time: told once, and not missed. */
  let unusable: ReadonlySet<string> = new Set();
  let untold = '';
  let plan: NodesPlan = { routes: new Map(), neighbours: [], forwarding: [] };
  let surroundings = '';
  let uplink: string | undefined;
  let mtu: number | undefined;
  let seen: { readonly text: string; readonly routes: readonly KernelRoute[] } = { text: '', routes: [] };
  let saved: RememberedNodes | undefined;
  let problem = '';
  let dirty = true;
  let wake = (): void => undefined;

  /** A peer with another address or range is to be looked at anew. */
  const keyOf = (p: Peer): string => `${p.name} ${p.address} ${p.podCidrs.join()}`;
  const touch = (): void => {
    dirty = true;
    wake();
  };
  const isOurs = (device: string): boolean =>
    device === names.vxlanLink || device.startsWith(names.linkPrefix) || device === names.servicesLink;

  /** What decides which addresses are on a segment with this host, in a form that can be compared. */
  const lookAround = async (): Promise<{ routes: string; complete: boolean }> => {
    const text = readRoutes();
    if (text !== seen.text) seen = { text, routes: parseRoutes(text) };
    const { routes } = seen;
    const present = new Set(routes.map((r) => `${r.destination} ${r.gateway} ${r.device}`));
    const wanted = [...plan.routes].filter(([destination]) => !unusable.has(destination));
    const expected = wanted.map(([destination, rest]) => {
      const words = rest.split(' ');
      const after = (word: string): string | undefined => (words.includes(word) ? words[words.indexOf(word) + 1] : undefined);
      return `${destination} ${after('via') ?? '0.0.0.0'} ${after('dev') ?? ''}`;
    });
    // Routes to single hosts come and go with containers; they say nothing about nodes but those that they lead to.
    const nodeAddresses = new Set(peers.map((p) => `${p.address}/32`));
    const others = routes.filter(
      (r) => !isOurs(r.device) && !plan.routes.has(r.destination) && (!r.destination.endsWith('/32') || nodeAddresses.has(r.destination)),
    );
    const linked =
      peers.length === 0 ||
      (await access(`/sys/class/net/${names.vxlanLink}`).then(
        () => true,
        () => false,
      ));
    return {
      routes: others.map((r) => `${r.destination} ${r.gateway} ${r.device}`).join('\n'),
      complete: linked && expected.every((e) => present.has(e)),
    };
  };

  const ensureDevice = async (range: string, deviceMtu: number): Promise<void> => {
    if (peers.length === 0) return removeVxlan(run, names.vxlanLink);
    const addresses = [tunnelAddress(range), directAddress(range)];
    const mac = tunnelMac(range);
    await ensureVxlan(run, { link: names.vxlanLink, ...config.vxlan, local: nodeAddress, mac, mtu: deviceMtu, addresses });
  };

  /** Says once what can't be told to the kernel of single nodes. */
  const tellOnce = (what: string, error: unknown, nodes: readonly string[]): void => {
    if (untold !== what) log.warn({ err: error, nodes }, what);
    untold = what;
  };
  /** One node whose address or range can't be used must not keep the others out: only when no route is there, something is wrong here. */
  const routesAsPlanned = async (next: NodesPlan): Promise<void> => {
    try {
      await applyRoutes(run, owner, next);
      unusable = new Set();
      untold = '';
    } catch (error) {
      const made = new Set(await ownRoutes(run, owner));
      const missing = [...next.routes.keys()].filter((destination) => !made.has(destination));
      if (missing.length === next.routes.size) throw error;
      unusable = new Set(missing);
      const theirs = peers.filter(
        (p) => p.podCidrs.some((cidr) => unusable.has(cidr)) || p.podCidrs.some((c) => unusable.has(`${tunnelAddress(c)}/32`)),
      );
      tellOnce(
        `ways to the pods of some nodes could not be made: ${missing.join(', ')}`,
        error,
        theirs.map((p) => p.name),
      );
    }
  };
  /** As above: what the tunnel doesn't take of one node is that node's trouble, and shows as a way that doesn't work. */
  const tunnelAsPlanned = async (next: NodesPlan): Promise<void> => {
    if (peers.length === 0) return;
    try {
      await applyTunnel(run, names.vxlanLink, next);
    } catch (error) {
      if (peers.length === 1) throw error;
      log.warn({ err: error, nodes: peers.map((p) => p.name) }, 'the tunnel does not take the addresses of all nodes');
    }
  };

  const sync = async (range: string): Promise<void> => {
    uplink = uplinkDevice(nodeAddress);
    const podMtu = deviceMtu(uplink) - vxlanOverhead;
    if (mtu !== podMtu) {
      mtu = podMtu;
      deps.onMtu(podMtu);
    }
    deps.onPeers(peers);
    await ensureDevice(range, podMtu);
    onLink = await findOnLink(
      run,
      peers.map((p) => p.address),
    );
    const keys = new Set(peers.map(keyOf));
    for (const key of states.keys()) if (!keys.has(key)) states.delete(key);
    const now = clock.monotonicMs();
    for (const peer of peers) {
      const state = states.get(keyOf(peer));
      const reachable = onLink.has(peer.address);
      // A node that has come to this segment, or left it, is looked at anew.
      const same = state !== undefined && reachable === Number.isFinite(state.nextProbeAtMs);
      if (!same) states.set(keyOf(peer), initialPath(reachable, remembered.get(keyOf(peer)), now));
    }
    const placed = peers.map((p) => ({ ...p, path: states.get(keyOf(p))?.path ?? 'vxlan', onLinkDevice: onLink.get(p.address) }) as const);
    plan = renderNodes({ podCidr: range, nodeAddress, vxlanLink: names.vxlanLink }, placed);
    await tunnelAsPlanned(plan);
    await routesAsPlanned(plan);
    surroundings = (await lookAround()).routes;
    const next: RememberedNodes = {
      podCidrs,
      peers: placed.map(({ name, address, podCidrs: cidrs, path }) => ({ name, address, podCidrs: cidrs, path })),
    };
    if (!isDeepStrictEqual(saved, next)) {
      await saveNodes(config.file, next);
      saved = next;
      for (const p of placed)
        log.info({ node: p.name, address: p.address, podCidrs: p.podCidrs, path: p.path }, 'way to the pods of a node');
    }
  };

  /** Asks the nodes whose turn it is. Resolves with whether a way has changed. */
  const probeDue = async (range: string): Promise<boolean> => {
    const now = clock.monotonicMs();
    const due = peers.filter((p) => (states.get(keyOf(p))?.nextProbeAtMs ?? Number.POSITIVE_INFINITY) <= now);
    const changes = await Promise.all(
      due.map(async (peer) => {
        const [first = ''] = peer.podCidrs;
        const result: ProbeResult = {
          direct: await deps.probe(directAddress(range), directAddress(first)),
          tunnel: false,
        };
        const tunnel = result.direct || (await deps.probe(tunnelAddress(range), tunnelAddress(first)));
        const before = states.get(keyOf(peer));
        if (before === undefined) return false;
        const after = nextPath(before, { ...result, tunnel }, clock.monotonicMs());
        states.set(keyOf(peer), after);
        if (after.path === before.path) return false;
        log.info({ node: peer.name, from: before.path, to: after.path }, 'the way to a node has changed');
        return true;
      }),
    );
    return changes.includes(true);
  };

  const pause = async (ms: number, signal: AbortSignal): Promise<void> => {
    using child = childSignal(signal);
    wake = () => child.abort();
    if (!dirty) await clock.sleep(ms, child.signal).catch(() => undefined);
    wake = () => undefined;
  };

  const turn = async (): Promise<void> => {
    if (podCidr === undefined) return;
    const range = podCidr;
    if (!dirty) {
      const around = await lookAround();
      if (!around.complete) log.warn('routes to other nodes were removed by someone; writing them again');
      dirty = !around.complete || around.routes !== surroundings || mtu !== deviceMtu(uplink) - vxlanOverhead;
    }
    if (dirty) {
      dirty = false;
      await sync(range);
    }
    if (await probeDue(range)) await sync(range);
  };

  return {
    load: async () => {
      const known = await loadNodes(config.file, log);
      if (known === undefined) return undefined;
      remembered = new Map(known.peers.map((p) => [keyOf(p), p.path]));
      if (peers.length === 0) peers = known.peers.map(({ name, address, podCidrs: cidrs }) => ({ name, address, podCidrs: cidrs }));
      return known;
    },
    setPodCidrs: (cidrs) => {
      if (isDeepStrictEqual(cidrs, podCidrs)) return;
      podCidrs = cidrs;
      podCidr = cidrs.find((c) => !c.includes(':'));
      states.clear();
      touch();
    },
    setPeers: (next) => {
      if (isDeepStrictEqual(next, peers)) return;
      peers = nodeAddress.startsWith('127.') ? [] : next;
      touch();
    },
    status: () => ({ ready: problem === '', message: problem }),
    paths: () => new Map(peers.map((p) => [p.name, states.get(keyOf(p))?.path ?? 'vxlan'])),
    run: async (signal) => {
      while (!signal.aborted) {
        try {
          await turn();
          problem = '';
          await pause(peers.length === 0 ? aloneIntervalMs : checkIntervalMs, signal);
        } catch (error) {
          if (signal.aborted) return;
          problem = (error as Error).message;
          log.error({ err: error }, 'the ways to other nodes are incomplete; trying again');
          dirty = false;
          await pause(retryMs, signal);
          dirty = true;
        }
      }
    },
  };
}

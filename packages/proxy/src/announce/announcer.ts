import { ipAddress } from '@skiff/api';
import { isStatusError } from '@skiff/apimachinery';
import type { Client } from '@skiff/client';
import { childSignal, type Clock, type Logger } from '@skiff/component-base';
import type { RunCommand } from '../host/command.ts';
import { loadAnnounced, saveAnnounced } from './announced-file.ts';
import { elect } from './election.ts';
import { createHoldBack } from './hold-back.ts';
import type { Liveness } from './liveness.ts';
import { ensureProxyNeighbour, removeProxyNeighbour, removeTold, tellSegment, type Segment } from './neighbours.ts';

/** Annotation of an address's IPAddress object: the node that announces it. */
export const announcedByAnnotation = 'load-balancer.skiff.dev/announced-by';

export interface AnnouncedAddress {
  readonly address: string;
  readonly holder: string;
  readonly resourceVersion: string;
  /** Names of the nodes that may announce it. */
  readonly eligible: readonly string[];
}

export interface AnnouncerView {
  readonly addresses: readonly AnnouncedAddress[];
  /** Node → address under which its proxy-data answers. */
  readonly nodeAddresses: ReadonlyMap<string, string>;
}

/**
 * Answers for addresses of load balancers on the hosts' segment. At most one node does so for an address as long as the API can be
 * reached: it writes itself into the address's object first. Without the API the first living node in rank acts alone.
 */
export interface Announcer {
  update(view: AnnouncerView): void;
  run(signal: AbortSignal): Promise<void>;
}

interface Config {
  readonly nodeName: string;
  /** Keeps what is announced, so that a restarted proxy takes back what moved meanwhile. */
  readonly path: string;
}
interface Deps {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
  readonly run: RunCommand;
  /** Of the other nodes, at the port at which proxy-data of every node answers. */
  readonly liveness: Liveness;
  /** The hosts' segment that an address lies on; undefined: none. */
  readonly segmentOf: (address: string) => Segment | undefined;
  /** This host can carry connections. */
  readonly isHealthy: () => boolean;
}

const tickMs = 1_000;
const reassertMs = 30_000;
/** A node waits this long for each one that goes before it. */
const turnMs = 1_500;
const claimTimeoutMs = 2_000;
/** The segment is told again and again: caches may refuse a change for a second, and messages get lost. */
const tellAfterMs = [0, 300, 700, 1_200, 3_000, 10_000, 30_000];
/** Nobody has anything else in a cache for an address that is new, and each telling disturbs this host's own connections to it. */
const tellNewAfterMs = [0];

interface Announced {
  readonly segment: Segment;
  readonly sinceMs: number;
  readonly tellAfterMs: readonly number[];
  told: number;
  assertedMs: number;
}

export function createAnnouncer(config: Config, deps: Deps): Announcer {
  const { client, clock, log, run, liveness, segmentOf } = deps;
  const me = config.nodeName;
  const announced = new Map<string, Announced>();
  const vacantSinceMs = new Map<string, number>();
  /** Taken without the API. */
  const unrecorded = new Set<string>();
  /** Claimed at this revision; what the view says of it is older. */
  const claimed = new Map<string, string>();
  const holdBack = createHoldBack({ me }, { clock });
  let view: AnnouncerView = { addresses: [], nodeAddresses: new Map() };
  let wake = (): void => undefined;
  let changed = false;
  let busy = false;
  const stale = loadAnnounced(config.path, log);

  async function claim(a: AnnouncedAddress, signal: AbortSignal): Promise<'mine' | 'lost' | 'no-answer'> {
    using limit = childSignal(signal, claimTimeoutMs);
    const metadata = { resourceVersion: a.resourceVersion, annotations: { [announcedByAnnotation]: me } };
    try {
      await client.patch(ipAddress, { name: a.address }, { type: 'merge', body: { metadata } }, { signal: limit.signal });
      log.info({ address: a.address, from: a.holder }, 'this node announces the address of a load balancer from now on');
      return 'mine';
    } catch (error) {
      if (isStatusError(error) && (error.reason === 'Conflict' || error.reason === 'NotFound')) return 'lost';
      log.warn({ address: a.address, error: error instanceof Error ? error.message : String(error) }, 'an address could not be claimed');
      return 'no-answer';
    }
  }

  /** Whether this node is to announce the address now. Claims it when it is this node's turn. */
  async function settle(a: AnnouncedAddress, signal: AbortSignal): Promise<boolean> {
    if (claimed.get(a.address) === a.resourceVersion) return true;
    claimed.delete(a.address);
    if (holdBack.sees(a.address, a.holder))
      log.info({ address: a.address, to: a.holder }, 'another node has taken the address of a load balancer');
    const verdict = elect({ address: a.address, me, holder: a.holder, eligible: a.eligible, isDead: liveness.isDead });
    if (verdict.announce || verdict.rank === undefined) {
      vacantSinceMs.delete(a.address);
      unrecorded.delete(a.address);
      return verdict.announce;
    }
    const nowMs = clock.monotonicMs();
    const sinceMs = vacantSinceMs.get(a.address) ?? nowMs;
    vacantSinceMs.set(a.address, sinceMs);
    if (a.eligible.includes(a.holder) && holdBack.isLeftTo(a.address, a.holder)) return false;
    const isTurn = verdict.isFirstAlive || nowMs - sinceMs >= verdict.rank * turnMs;
    if (!isTurn || !deps.isHealthy() || segmentOf(a.address) === undefined) return unrecorded.has(a.address);
    const outcome = await claim(a, signal);
    if (outcome === 'mine') {
      claimed.set(a.address, a.resourceVersion);
      holdBack.sees(a.address, me);
    }
    if (outcome === 'no-answer' && verdict.isFirstAlive) unrecorded.add(a.address);
    else if (outcome !== 'no-answer') unrecorded.delete(a.address);
    return outcome === 'mine' || unrecorded.has(a.address);
  }

  async function announce({ address, holder }: AnnouncedAddress): Promise<void> {
    const segment = segmentOf(address);
    if (segment === undefined) return;
    const nowMs = clock.monotonicMs();
    let state = announced.get(address);
    if (state === undefined || state.segment.link !== segment.link) {
      state = {
        segment,
        sinceMs: nowMs,
        tellAfterMs: holder === '' ? tellNewAfterMs : tellAfterMs,
        told: 0,
        assertedMs: Number.NEGATIVE_INFINITY,
      };
      announced.set(address, state);
      remember();
    }
    if (nowMs - state.assertedMs >= reassertMs) {
      await ensureProxyNeighbour(run, address, segment);
      state.assertedMs = nowMs;
    }
    const dueMs = state.tellAfterMs[state.told];
    if (dueMs !== undefined && nowMs - state.sinceMs >= dueMs) {
      state.told++;
      // It answers questions all the same; caches of others learn later.
      await tellSegment(run, address, segment).catch((error: unknown) =>
        log.warn({ err: error, address }, "the segment can't be told where an address is"),
      );
    }
  }

  async function withdraw(address: string): Promise<void> {
    const state = announced.get(address);
    if (state === undefined) return;
    announced.delete(address);
    await removeProxyNeighbour(run, address, state.segment.link);
    remember();
    log.info({ address }, 'this node no longer announces the address of a load balancer');
  }

  /** Until the segment is to be told again. */
  const untilTellMs = (): number =>
    Math.min(
      ...[...announced.values()].map((s) =>
        Math.max(10, s.sinceMs + (s.tellAfterMs[s.told] ?? Number.POSITIVE_INFINITY) - clock.monotonicMs()),
      ),
    );

  const remember = (): void => saveAnnounced(config.path, new Map([...announced].map(([a, s]) => [a, s.segment.link])));

  async function round(signal: AbortSignal): Promise<void> {
    const { addresses, nodeAddresses } = view;
    const watched = new Map<string, string>();
    for (const a of addresses) {
      const { watch } = elect({ address: a.address, me, holder: a.holder, eligible: a.eligible, isDead: liveness.isDead });
      for (const node of watch) watched.set(node, nodeAddresses.get(node) ?? '');
    }
    watched.delete('');
    for (const [node, address] of watched) if (address === '') watched.delete(node);
    liveness.keep(new Set(watched.keys()));
    await liveness.look(watched);
    if (signal.aborted) return;
    const wanted = new Set(addresses.map((a) => a.address));
    // At once: an apiserver that doesn't answer holds each of them up.
    await Promise.all(addresses.map(async (a) => ((await settle(a, signal)) ? announce(a) : withdraw(a.address))));
    for (const address of announced.keys()) if (!wanted.has(address)) await withdraw(address);
    for (const [address, link] of stale) {
      if (!announced.has(address)) await removeProxyNeighbour(run, address, link);
      stale.delete(address);
    }
    for (const known of [vacantSinceMs, unrecorded, claimed])
      for (const address of known.keys()) if (!wanted.has(address)) known.delete(address);
    holdBack.keep(wanted);
    busy = watched.size > 0 || vacantSinceMs.size > 0;
  }

  return {
    update: (next) => {
      view = next;
      changed = true;
      wake();
    },
    run: async (signal) => {
      for (const [address, link] of stale) await removeTold(run, address, link);
      while (!signal.aborted) {
        changed = false;
        await round(signal);
        if (changed) continue;
        using child = childSignal(signal);
        wake = () => child.abort();
        // Woken or timed out: both mean to look again. Without anything to look after, only an update wakes.
        await clock.sleep(Math.min(busy ? tickMs : reassertMs, untilTellMs()), child.signal).catch(() => undefined);
        wake = () => undefined;
      }
    },
  };
}

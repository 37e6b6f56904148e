import type { Clock } from '@skiff/component-base';
import { isNodeReady } from './node-health.ts';
import type { NodeView } from './taints.ts';

/** How many nodes may lose their pods, and when not: upstream's flags of the same names. */
export interface EvictionRates {
  /** Nodes per second, in a healthy zone. */
  readonly nodeEvictionRate: number;
  /** Nodes per second, in a large zone of which too many nodes are down. */
  readonly secondaryNodeEvictionRate: number;
  /** Zones up to this size don't evict at all while too many of their nodes are down. */
  readonly largeClusterSizeThreshold: number;
  /** Share of nodes that are not ready (and at least 3) from which a zone is unhealthy. */
  readonly unhealthyZoneThreshold: number;
}

export type ZoneState = 'Normal' | 'PartialDisruption' | 'FullDisruption';

export function zoneState(nodes: { readonly ready: number; readonly notReady: number }, unhealthyZoneThreshold: number): ZoneState {
  const { ready, notReady } = nodes;
  if (ready === 0 && notReady > 0) return 'FullDisruption';
  return notReady > 2 && notReady / (notReady + ready) >= unhealthyZoneThreshold ? 'PartialDisruption' : 'Normal';
}

/** Nodes of a zone that may get a NoExecute taint, per second. */
export function evictionRate(state: ZoneState, size: number, rates: EvictionRates): number {
  if (state !== 'PartialDisruption') return rates.nodeEvictionRate;
  return size > rates.largeClusterSizeThreshold ? rates.secondaryNodeEvictionRate : 0;
}

/** Region and zone by the well-known labels, the old ones first, as upstream. '' for a node without. */
export function zoneOf(node: NodeView): string {
  const labels = node.metadata?.labels ?? {};
  const zone = labels['failure-domain.beta.kubernetes.io/zone'] ?? labels['topology.kubernetes.io/zone'] ?? '';
  const region = labels['failure-domain.beta.kubernetes.io/region'] ?? labels['topology.kubernetes.io/region'] ?? '';
  return region === '' && zone === '' ? '' : `${region}/${zone}`;
}

/** A node with this label doesn't count when the state of its zone is computed. */
const excludedLabel = 'node.kubernetes.io/exclude-disruption';

interface Zone {
  readonly state: ZoneState;
  readonly size: number;
}

/** The state of each zone, and a token bucket of one for each: evictions are slow, so that a mistake is noticed in time. */
export class EvictionZones {
  readonly #rates: EvictionRates;
  readonly #clock: Clock;
  #zones = new Map<string, Zone>();
  readonly #buckets = new Map<string, { tokens: number; atMs: number }>();
  #allDown = false;

  constructor(rates: EvictionRates, clock: Clock) {
    this.#rates = rates;
    this.#clock = clock;
  }

  /** No zone has a ready node: the trouble is more likely here than there. */
  get allDown(): boolean {
    return this.#allDown;
  }

  /** Takes in the nodes as they are; tells which zones changed their state. */
  update(nodes: readonly NodeView[]): readonly { readonly zone: string; readonly state: ZoneState }[] {
    const counts = new Map<string, { ready: number; notReady: number }>();
    for (const node of nodes) {
      if (node.metadata?.labels?.[excludedLabel] !== undefined) continue;
      const zone = zoneOf(node);
      const count = counts.get(zone) ?? { ready: 0, notReady: 0 };
      if (isNodeReady(node)) count.ready += 1;
      else count.notReady += 1;
      counts.set(zone, count);
    }
    const before = this.#zones;
    this.#zones = new Map(
      [...counts].map(([zone, c]) => [zone, { state: zoneState(c, this.#rates.unhealthyZoneThreshold), size: c.ready + c.notReady }]),
    );
    this.#allDown = this.#zones.size > 0 && [...this.#zones.values()].every((z) => z.state === 'FullDisruption');
    for (const zone of this.#buckets.keys()) if (!counts.has(zone)) this.#buckets.delete(zone);
    return [...this.#zones]
      .filter(([zone, { state }]) => (before.get(zone)?.state ?? 'Normal') !== state)
      .map(([zone, { state }]) => ({ zone, state }));
  }

  /** May the pods of one more node of this zone be evicted now? A yes uses up the allowance. */
  take(node: NodeView): boolean {
    if (this.#allDown) return false;
    const name = zoneOf(node);
    const zone = this.#zones.get(name);
    const perSecond = evictionRate(zone?.state ?? 'Normal', zone?.size ?? 1, this.#rates);
    const nowMs = this.#clock.monotonicMs();
    const bucket = this.#buckets.get(name) ?? { tokens: 1, atMs: nowMs };
    bucket.tokens = Math.min(1, bucket.tokens + ((nowMs - bucket.atMs) / 1000) * perSecond);
    bucket.atMs = nowMs;
    this.#buckets.set(name, bucket);
    // Sums of small parts fall short of one by rounding.
    if (perSecond === 0 || bucket.tokens < 1 - 1e-9) return false;
    bucket.tokens -= 1;
    return true;
  }
}

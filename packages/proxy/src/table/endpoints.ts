import type { EndpointSlice, Endpoint as SliceEndpoint } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import { headlessLabel, type NodeView } from './state.ts';
import { endpointKey, type Endpoint } from './types.ts';

/** An endpoint of one Service port, as the slices tell it. */
export interface Candidate {
  readonly endpoint: Endpoint;
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
  readonly local: boolean;
  /** Its node is known not to be ready. */
  readonly lost: boolean;
  /** Zones and nodes that should use it (topology hints); undefined where a slice gives none. */
  readonly zones: readonly string[] | undefined;
  readonly nodes: readonly string[] | undefined;
}

const candidate = (e: DeepReadonly<SliceEndpoint>, address: string, port: number, node: NodeView): Candidate => ({
  endpoint: { address, port },
  // Unknown counts as ready, and serving follows ready (discovery/v1).
  ready: e.conditions?.ready ?? true,
  serving: e.conditions?.serving ?? e.conditions?.ready ?? true,
  terminating: e.conditions?.terminating ?? false,
  local: e.nodeName === node.name || (e.nodeName !== undefined && node.hostMates.includes(e.nodeName)),
  lost: e.nodeName !== undefined && node.lostNodes.includes(e.nodeName),
  zones: e.hints?.forZones?.map((z) => z.name),
  nodes: e.hints?.forNodes?.map((n) => n.name),
});

/** All endpoints of the port by its name, each slice with a port number of its own, without duplicates. */
export function collectCandidates(
  slices: readonly DeepReadonly<EndpointSlice>[],
  port: { name: string; protocol: string; family: 'IPv4' | 'IPv6' },
  node: NodeView,
): readonly Candidate[] {
  const found = new Map<string, Candidate>();
  for (const slice of slices) {
    if (slice.addressType !== port.family || slice.metadata?.labels?.[headlessLabel] !== undefined) continue;
    const match = slice.ports?.find((p) => (p.name ?? '') === port.name && (p.protocol ?? 'TCP') === port.protocol);
    if (match?.port === undefined) continue;
    for (const e of slice.endpoints ?? []) {
      // All addresses of one endpoint are interchangeable; the first one is used.
      const address = e.addresses[0];
      if (address === undefined) continue;
      const next = candidate(e, address, match.port, node);
      const key = endpointKey(next.endpoint);
      const known = found.get(key);
      // The same address may stand in two slices while one is being replaced.
      if (known === undefined || (!known.ready && next.ready)) found.set(key, next);
    }
  }
  return [...found.values()];
}

/** Ready ones; if there is none, those that terminate but still serve (KEP-1669); those of lost nodes only if nothing else is left. */
export function selectUsable(candidates: readonly Candidate[]): readonly Candidate[] {
  const reachable = candidates.filter((c) => !c.lost);
  const ready = reachable.filter((c) => c.ready && !c.terminating);
  if (ready.length > 0) return ready;
  const serving = reachable.filter((c) => c.ready || (c.serving && c.terminating));
  return serving.length > 0 ? serving : candidates.filter((c) => c.ready);
}

/** Hints hold only when every ready endpoint has them and at least one is meant for this node or zone (KEP-2433, KEP-3015). */
export function applyTopology(usable: readonly Candidate[], node: NodeView): readonly Candidate[] {
  if (usable.length > 0 && usable.every((c) => c.nodes !== undefined)) {
    const near = usable.filter((c) => c.nodes?.includes(node.name));
    if (near.length > 0) return near;
  }
  const { zone } = node;
  if (zone === undefined || usable.length === 0 || !usable.every((c) => c.zones !== undefined)) return usable;
  const near = usable.filter((c) => c.zones?.includes(zone));
  return near.length > 0 ? near : usable;
}

export interface Selection {
  readonly cluster: readonly Endpoint[];
  readonly local: readonly Endpoint[];
}

const byAddress = (a: Endpoint, b: Endpoint): number => (endpointKey(a) < endpointKey(b) ? -1 : 1);

/** What each traffic policy may choose from, in a stable order. */
export function selectEndpoints(candidates: readonly Candidate[], node: NodeView): Selection {
  const all = selectUsable(candidates);
  const ready = all.some((c) => c.ready && !c.terminating);
  return {
    cluster: (ready ? applyTopology(all, node) : all).map((c) => c.endpoint).sort(byAddress),
    local: selectUsable(candidates.filter((c) => c.local))
      .map((c) => c.endpoint)
      .sort(byAddress),
  };
}

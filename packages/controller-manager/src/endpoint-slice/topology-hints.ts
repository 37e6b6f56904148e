import type { Endpoint, Node, Service } from '@skiff/api';
import { quantityMilliValue, type DeepReadonly } from '@skiff/apimachinery';

/** Topology aware routing (KEP-2433): endpoints are shared out among the zones by the zones' parts of all CPU. */
const annotation = 'service.kubernetes.io/topology-mode';
const deprecatedAnnotation = 'service.kubernetes.io/topology-aware-hints';
const controlPlaneLabels = ['node-role.kubernetes.io/control-plane', 'node-role.kubernetes.io/master'];
/** A zone's endpoints may get this much more than their share of the traffic. */
const overload = 0.2;

const zoneLabel = 'topology.kubernetes.io/zone';

export function wantsTopologyHints(service: DeepReadonly<Service>): boolean {
  const annotations = service.metadata?.annotations ?? {};
  const value = annotations[deprecatedAnnotation] ?? annotations[annotation];
  return value === 'Auto' || value === 'auto';
}

type NodeView = DeepReadonly<Node>;
const isReady = (node: NodeView): boolean => node.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') === true;
const cpuOf = (node: NodeView): number => quantityMilliValue(node.status?.allocatable?.['cpu'] ?? '0');

/** What of a node the shares follow from. */
export const zoneFacts = (node: NodeView): string =>
  JSON.stringify([
    isReady(node),
    node.metadata?.labels?.[zoneLabel],
    cpuOf(node),
    controlPlaneLabels.some((l) => node.metadata?.labels?.[l] !== undefined),
  ]);

/** Each zone's part of the CPU of all ready nodes; undefined when a node doesn't say enough or there is only one zone. */
export function zoneShares(nodes: readonly NodeView[]): ReadonlyMap<string, number> | undefined {
  const cpu = new Map<string, number>();
  for (const node of nodes) {
    if (controlPlaneLabels.some((l) => node.metadata?.labels?.[l] !== undefined) || !isReady(node)) continue;
    const zone = node.metadata?.labels?.[zoneLabel] ?? '';
    const own = cpuOf(node);
    if (zone === '' || own === 0) return undefined;
    cpu.set(zone, (cpu.get(zone) ?? 0) + own);
  }
  const total = [...cpu.values()].reduce((a, b) => a + b, 0);
  return cpu.size < 2 || total === 0 ? undefined : new Map([...cpu].map(([zone, own]) => [zone, own / total]));
}

/** Endpoint → the zone that should use it, or why there are no hints (upstream's words). */
export type ZoneHints = { readonly zones: ReadonlyMap<Endpoint, string> } | { readonly disabled: string };

/** A zone's difference from its share, taken in steps of whole endpoints. */
const most = (differences: ReadonlyMap<string, number>): readonly [string, number] =>
  [...differences].reduce<readonly [string, number]>((best, next) => (next[1] > best[1] ? next : best), ['', 0]);

/** Pure and stable: the same endpoints in the same zones get the same hints. */
export function allocateZones(endpoints: readonly Endpoint[], shares: ReadonlyMap<string, number> | undefined): ZoneHints {
  if (shares === undefined)
    return { disabled: 'Insufficient Node information: allocatable CPU or zone not specified on one or more nodes' };
  const ready = endpoints
    .filter((e) => e.conditions?.ready === true)
    .sort((a, b) => ((a.addresses[0] ?? '') < (b.addresses[0] ?? '') ? -1 : 1));
  const numbers = `(${ready.length} endpoints, ${shares.size} zones)`;
  if (shares.size > ready.length) return { disabled: `Insufficient number of endpoints ${numbers}` };
  const least = new Map([...shares].map(([zone, share]) => [zone, Math.ceil((share * ready.length) / (1 + overload))]));
  if ([...least.values()].reduce((a, b) => a + b, 0) > ready.length)
    return {
      disabled: `Unable to allocate minimum required endpoints to each zone without exceeding overload threshold ${numbers}`,
    };
  if (ready.some((e) => !e.zone)) return { disabled: 'One or more endpoints do not have a zone specified' };

  const zones = new Map(ready.map((e) => [e, e.zone ?? '']));
  const count = (zone: string): number => ready.filter((e) => e.zone === zone).length;
  const surplus = new Map<string, number>();
  const lack = new Map<string, number>();
  for (const zone of new Set([...shares.keys(), ...ready.map((e) => e.zone ?? '')])) {
    const wanted = Math.max((shares.get(zone) ?? 0) * ready.length, least.get(zone) ?? 0);
    const has = count(zone);
    if (has > wanted) surplus.set(zone, has - wanted);
    else lack.set(zone, wanted - has);
  }
  for (;;) {
    const [from, more] = most(surplus);
    const [to, less] = most(lack);
    if (from === '' || to === '' || (more < 1 && less < 1) || more < 0.5 || less < 0.5) break;
    const moved = ready.find((e) => e.zone === from && zones.get(e) === from);
    if (moved !== undefined) zones.set(moved, to);
    surplus.set(from, more - 1);
    lack.set(to, less - 1);
  }
  return { zones };
}

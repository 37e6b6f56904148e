import type { Endpoint, DiscoveryV1EndpointPort, EndpointSlice } from '@skiff/api';
import type { DeepReadonly, ObjectMeta } from '@skiff/apimachinery';
import { semanticEqual } from '../semantic-equality.ts';

export type SliceView = DeepReadonly<EndpointSlice>;

/** Endpoints that share their ports. */
export interface EndpointGroup {
  readonly ports: readonly DiscoveryV1EndpointPort[];
  readonly endpoints: readonly Endpoint[];
}
export interface SlicePlan {
  readonly create: readonly EndpointSlice[];
  readonly update: readonly EndpointSlice[];
  readonly remove: readonly SliceView[];
}
export interface PlanInput {
  readonly addressType: string;
  readonly groups: readonly EndpointGroup[];
  /** Slices of this address type that belong to the owner. */
  readonly existing: readonly SliceView[];
  /** metadata of new slices; its labels (and annotations, if given) are what existing ones get too. */
  readonly metadata: ObjectMeta;
  readonly maxEndpoints: number;
  /** A slice without endpoints stands for "none", instead of no slice. */
  readonly placeholder: boolean;
}

/** Order doesn't matter. */
export const portsKey = (ports: readonly DeepReadonly<DiscoveryV1EndpointPort>[] | null | undefined): string =>
  JSON.stringify(
    (ports ?? [])
      .map((p) => [p.name ?? '', p.protocol ?? 'TCP', p.port ?? null, p.appProtocol ?? null])
      .sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)),
  );

const endpointKey = (e: DeepReadonly<Endpoint>): string =>
  JSON.stringify([[...e.addresses].sort(), e.targetRef?.uid ?? '', e.hostname ?? '']);

/** The fewest writes that make the slices hold the endpoints: kept where they stand, added where a slice is written anyhow. */
export function planSlices(input: PlanInput): SlicePlan {
  const create: EndpointSlice[] = [];
  const update: EndpointSlice[] = [];
  const remove: SliceView[] = [];
  const byPorts = new Map<string, SliceView[]>();
  for (const slice of input.existing) {
    const key = portsKey(slice.ports);
    byPorts.set(key, [...(byPorts.get(key) ?? []), slice]);
  }
  const groups = new Map(input.groups.map((g) => [portsKey(g.ports), g]));
  for (const [key, group] of groups) {
    const plan = planGroup(group, byPorts.get(key) ?? [], input);
    create.push(...plan.create);
    update.push(...plan.update);
    remove.push(...plan.remove);
  }
  for (const [key, slices] of byPorts) if (!groups.has(key)) remove.push(...slices);

  if (input.placeholder && input.existing.length === remove.length && create.length === 0) {
    const kept = remove.find((slice) => (slice.endpoints ?? []).length === 0 && (slice.ports ?? []).length === 0);
    const empty = newSlice({ ports: [], endpoints: [] }, input);
    if (kept === undefined) create.push(empty);
    else {
      remove.splice(remove.indexOf(kept), 1);
      if (!sameMetadata(kept, input)) update.push({ ...withMetadata(kept, input), endpoints: [] });
    }
  }
  return { create, update, remove };
}

function planGroup(group: EndpointGroup, existing: readonly SliceView[], input: PlanInput): SlicePlan {
  const desired = new Map(group.endpoints.map((e) => [endpointKey(e), e]));
  const create: EndpointSlice[] = [];
  const changed: { slice: SliceView; endpoints: Endpoint[] }[] = [];
  const unchanged: SliceView[] = [];
  const remove: SliceView[] = [];
  for (const slice of existing) {
    const kept: Endpoint[] = [];
    let differs = !sameMetadata(slice, input);
    const current = slice.endpoints ?? [];
    for (const endpoint of current) {
      const wanted = desired.get(endpointKey(endpoint));
      if (wanted === undefined) continue;
      desired.delete(endpointKey(endpoint));
      kept.push(wanted);
      if (!semanticEqual(wanted, endpoint)) differs = true;
    }
    if (kept.length === 0 && group.endpoints.length > 0) remove.push(slice);
    else if (kept.length === 0 && current.length > 0) remove.push(slice);
    else if (differs || kept.length !== current.length) changed.push({ slice, endpoints: kept });
    else unchanged.push(slice);
  }

  const left = [...desired.values()];
  // The fullest first, so that slices fill up.
  for (const { endpoints } of changed.sort((a, b) => b.endpoints.length - a.endpoints.length))
    endpoints.push(...left.splice(0, input.maxEndpoints - endpoints.length));
  // One more write into a slice that takes all the rest, the fullest such; else new slices.
  const room = (slice: SliceView): number => input.maxEndpoints - (slice.endpoints ?? []).length - left.length;
  const fits = unchanged.filter((slice) => left.length > 0 && room(slice) >= 0).sort((a, b) => room(a) - room(b))[0];
  if (fits !== undefined)
    changed.push({ slice: fits, endpoints: [...(structuredClone(fits.endpoints ?? []) as Endpoint[]), ...left.splice(0)] });
  while (left.length > 0) create.push(newSlice({ ports: group.ports, endpoints: left.splice(0, input.maxEndpoints) }, input));
  return { create, remove, update: changed.map(({ slice, endpoints }) => ({ ...withMetadata(slice, input), endpoints })) };
}

const newSlice = (group: EndpointGroup, input: PlanInput): EndpointSlice => ({
  metadata: structuredClone(input.metadata),
  addressType: input.addressType,
  endpoints: [...group.endpoints],
  ports: [...group.ports],
});

const sameMetadata = (slice: SliceView, input: PlanInput): boolean =>
  semanticEqual(slice.metadata?.labels, input.metadata.labels, 'labels') &&
  (input.metadata.annotations === undefined || semanticEqual(slice.metadata?.annotations, input.metadata.annotations, 'annotations'));

function withMetadata(slice: SliceView, input: PlanInput): EndpointSlice {
  const draft = structuredClone(slice) as EndpointSlice;
  const { labels, annotations } = input.metadata;
  draft.metadata = {
    ...draft.metadata,
    ...(labels === undefined ? {} : { labels }),
    ...(annotations === undefined ? {} : { annotations }),
  };
  return draft;
}

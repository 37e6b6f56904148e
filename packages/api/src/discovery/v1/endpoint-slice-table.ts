import type { EndpointSlice } from '../../generated/types/discovery-v1.ts';
import { moreOfAList } from '../../more-of-a-list.ts';
import { age, defineTable, nameColumn, nameOf } from '../../table.ts';

const listed = (items: readonly string[]): string => moreOfAList(items, 3) || '<unset>';

export const endpointSliceTable = defineTable<EndpointSlice>([nameColumn, 'AddressType', 'Ports', 'Endpoints', 'Age'], (slice, nowMs) => [
  nameOf(slice),
  slice.addressType ?? '',
  listed((slice.ports ?? []).map((p) => String(p.port ?? p.name ?? '*'))),
  listed((slice.endpoints ?? []).flatMap((e) => e.addresses ?? [])),
  age(slice, nowMs),
]);

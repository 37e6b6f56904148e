import { defineResource } from '../../define-resource.ts';
import type { EndpointSlice } from '../../generated/types/discovery-v1.ts';
import { defaultEndpointSlice, endpointSliceStrategy } from './endpoint-slice-strategy.ts';
import { endpointSliceTable } from './endpoint-slice-table.ts';

export const endpointSlice = defineResource<EndpointSlice>({
  group: 'discovery.k8s.io',
  version: 'v1',
  kind: 'EndpointSlice',
  plural: 'endpointslices',
  scope: 'Namespaced',
  schemaName: 'io.k8s.api.discovery.v1.EndpointSlice',
  storageVersionHash: 'qgS0xkrxYAI=',
  defaults: defaultEndpointSlice,
  strategy: endpointSliceStrategy,
  table: endpointSliceTable,
});

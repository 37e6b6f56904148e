import { defineResource } from '../../define-resource.ts';
import type { Endpoints } from '../../generated/types/core-v1.ts';
import { endpointsTable } from './endpoints-table.ts';

export const endpoints = defineResource<Endpoints>({
  group: '',
  version: 'v1',
  kind: 'Endpoints',
  plural: 'endpoints',
  scope: 'Namespaced',
  shortNames: ['ep'],
  schemaName: 'io.k8s.api.core.v1.Endpoints',
  storagePrefix: 'services/endpoints',
  storageVersionHash: 'fWeeMqaN/OA=',
  defaults(endpoints) {
    for (const subset of endpoints.subsets ?? []) for (const port of subset.ports ?? []) port.protocol ||= 'TCP';
  },
  strategy: { allowCreateOnUpdate: true },
  table: endpointsTable,
});

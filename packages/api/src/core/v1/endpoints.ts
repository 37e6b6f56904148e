import { nameIsDNSSubdomain } from '@skiff/apimachinery';
import { defineResource } from '../../define-resource.ts';
import type { Endpoints } from '../../generated/types/core-v1.ts';
import { endpointsTable } from './endpoints-table.ts';
import { endpointsWarnings, validateEndpoints } from './validate-endpoints.ts';

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
  strategy: {
    validateName: nameIsDNSSubdomain,
    allowCreateOnUpdate: true,
    validate: (endpoints, errors) => validateEndpoints(endpoints, errors),
    validateUpdate: (endpoints, old, errors) => validateEndpoints(endpoints, errors, old),
    warnings: endpointsWarnings,
  },
  table: endpointsTable,
});

import { defineResource } from '../../define-resource.ts';
import type { Secret } from '../../generated/types/core-v1.ts';

export const secret = defineResource<Secret>({
  group: '',
  version: 'v1',
  kind: 'Secret',
  plural: 'secrets',
  scope: 'Namespaced',
  schemaName: 'io.k8s.api.core.v1.Secret',
  storageVersionHash: 'S6u1pOWzb84=',
});

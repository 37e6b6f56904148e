import { defineResource } from '../../define-resource.ts';
import type { Binding } from '../../generated/types/core-v1.ts';

export const binding = defineResource<Binding>({
  group: '',
  version: 'v1',
  kind: 'Binding',
  plural: 'bindings',
  scope: 'Namespaced',
  verbs: ['create'],
  schemaName: 'io.k8s.api.core.v1.Binding',
  virtual: true,
});

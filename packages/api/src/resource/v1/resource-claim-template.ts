import { defineResource } from '../../define-resource.ts';
import type { KubeObject } from '@skiff/apimachinery';

export const resourceClaimTemplate = defineResource<KubeObject>({
  group: 'resource.k8s.io',
  version: 'v1',
  kind: 'ResourceClaimTemplate',
  plural: 'resourceclaimtemplates',
  scope: 'Namespaced',
  schemaName: 'io.k8s.api.resource.v1.ResourceClaimTemplate',
  storageVersionHash: 'TuzjC49aUfM=',
  returnsDeletedObject: true,
  enforcement: 'stored',
});

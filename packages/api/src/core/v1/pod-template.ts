import { defineResource } from '../../define-resource.ts';
import type { PodTemplate } from '../../generated/types/core-v1.ts';

export const podTemplate = defineResource<PodTemplate>({
  group: '',
  version: 'v1',
  kind: 'PodTemplate',
  plural: 'podtemplates',
  scope: 'Namespaced',
  schemaName: 'io.k8s.api.core.v1.PodTemplate',
  storageVersionHash: 'LIXB2x4IFpk=',
  returnsDeletedObject: true,
});

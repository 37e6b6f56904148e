import { defineResource } from '../../define-resource.ts';
import type { ControllerRevision } from '../../generated/types/apps-v1.ts';

export const controllerRevision = defineResource<ControllerRevision>({
  group: 'apps',
  version: 'v1',
  kind: 'ControllerRevision',
  plural: 'controllerrevisions',
  scope: 'Namespaced',
  schemaName: 'io.k8s.api.apps.v1.ControllerRevision',
  storageVersionHash: '85nkx63pcBU=',
});

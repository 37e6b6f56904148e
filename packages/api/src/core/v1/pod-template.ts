import { defineResource } from '../../define-resource.ts';
import type { PodTemplate } from '../../generated/types/core-v1.ts';
import { specStrategy } from '../../spec-and-status.ts';
import { defaultPodSpec } from './pod/default-pod-spec.ts';
import { containerCells, defineTable, formatLabels, nameColumn, nameOf } from '../../table.ts';

export const podTemplate = defineResource<PodTemplate>({
  group: '',
  version: 'v1',
  kind: 'PodTemplate',
  plural: 'podtemplates',
  scope: 'Namespaced',
  schemaName: 'io.k8s.api.core.v1.PodTemplate',
  storageVersionHash: 'LIXB2x4IFpk=',
  returnsDeletedObject: true,
  strategy: specStrategy<PodTemplate>({ generation: { template: 'io.k8s.api.core.v1.PodTemplateSpec' }, status: false }),
  defaults(template) {
    template.template ??= {};
    defaultPodSpec((template.template.spec ??= { containers: [] }));
  },
  table: defineTable([nameColumn, 'Containers', 'Images', 'Pod Labels'], (t) => [
    nameOf(t),
    ...containerCells(t.template?.spec?.containers),
    formatLabels(t.template?.metadata?.labels),
  ]),
});

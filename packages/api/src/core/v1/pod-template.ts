import { defineResource } from '../../define-resource.ts';
import type { PodTemplate } from '../../generated/types/core-v1.ts';
import { generationChanged, specStrategy } from '../../spec-and-status.ts';
import { defaultPodSpec } from './pod/default-pod-spec.ts';
import { containerCells, defineTable, formatLabels, nameColumn, nameOf } from '../../table.ts';
import { dropDisabledPodFields } from './pod/drop-disabled.ts';
import { templateWarnings, validatePodTemplate } from './pod-template-validation.ts';
import { nameIsDNSSubdomain } from '@skiff/apimachinery';

export const podTemplate = defineResource<PodTemplate>({
  group: '',
  version: 'v1',
  kind: 'PodTemplate',
  plural: 'podtemplates',
  scope: 'Namespaced',
  schemaName: 'io.k8s.api.core.v1.PodTemplate',
  storageVersionHash: 'LIXB2x4IFpk=',
  returnsDeletedObject: true,
  strategy: specStrategy<PodTemplate>(
    { generation: { template: 'io.k8s.api.core.v1.PodTemplateSpec' }, status: false },
    {
      validateName: nameIsDNSSubdomain,
      prepareForCreate: (draft, { warn }) => dropDisabledPodFields(draft.template?.spec, undefined, 'template.spec', warn),
      prepareForUpdate: (draft, old, { warn }) => dropDisabledPodFields(draft.template?.spec, old.template?.spec, 'template.spec', warn),
      validate: (template, errors) => validatePodTemplate(template.template ?? {}, 'template', errors),
      validateUpdate: (template, old, errors) => validatePodTemplate(template.template ?? {}, 'template', errors, old.template),
      warnings: (template, old) => (old && !generationChanged(template, old) ? [] : templateWarnings(template.template, 'template.')),
    },
  ),
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

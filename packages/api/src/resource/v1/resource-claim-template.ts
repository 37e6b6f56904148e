import { defaultClaimRequests } from './claim-defaults.ts';
import { checkSelectors, selectorsOfClaim } from './check-selectors.ts';
import { validateClaimTemplateSpec } from './validate-claim.ts';
import { validateTemplateUpdate } from './validate.ts';
import { nameIsDNSSubdomain } from '@skiff/apimachinery';
import { specStrategy } from '../../spec-and-status.ts';
import { defineResource } from '../../define-resource.ts';
import type { ResourceClaimTemplate } from '../../generated/types/resource-v1.ts';
import { age, defineTable, nameColumn, nameOf } from '../../table.ts';

export const resourceClaimTemplate = defineResource<ResourceClaimTemplate>({
  group: 'resource.k8s.io',
  version: 'v1',
  kind: 'ResourceClaimTemplate',
  plural: 'resourceclaimtemplates',
  scope: 'Namespaced',
  schemaName: 'io.k8s.api.resource.v1.ResourceClaimTemplate',
  storageVersionHash: 'TuzjC49aUfM=',
  returnsDeletedObject: true,
  enforcement: 'stored',
  defaults: (template) => defaultClaimRequests(template.spec?.spec),
  strategy: specStrategy<ResourceClaimTemplate>(
    { status: false },
    {
      validateName: nameIsDNSSubdomain,
      validate: (template, errors) => validateClaimTemplateSpec(template.spec, errors),
      validateUpdate: validateTemplateUpdate,
      validateInSteps: (template, _old, errors, context) =>
        checkSelectors(selectorsOfClaim(template.spec?.spec?.devices, 'spec.spec.devices'), errors, context),
    },
  ),
  table: defineTable([nameColumn, 'Age'], (o, nowMs) => [nameOf(o), age(o, nowMs)]),
});

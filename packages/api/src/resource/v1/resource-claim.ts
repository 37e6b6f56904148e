import { defaultClaimRequests } from './claim-defaults.ts';
import { checkSelectors, selectorsOfClaim } from './check-selectors.ts';
import { validateDeviceClaim } from './validate-claim.ts';
import { validateClaimUpdate } from './validate.ts';
import { dropStatusOfDeallocated, validateClaimStatusUpdate } from './validate-claim-status.ts';
import { nameIsDNSSubdomain } from '@skiff/apimachinery';
import { defineResource } from '../../define-resource.ts';
import type { ResourceClaim } from '../../generated/types/resource-v1.ts';
import { specStrategy, statusStrategy, statusSubresource } from '../../spec-and-status.ts';
import { age, defineTable, isDeleting, nameColumn, nameOf } from '../../table.ts';

export const resourceClaim = defineResource<ResourceClaim>({
  group: 'resource.k8s.io',
  version: 'v1',
  kind: 'ResourceClaim',
  plural: 'resourceclaims',
  scope: 'Namespaced',
  schemaName: 'io.k8s.api.resource.v1.ResourceClaim',
  storageVersionHash: 'wgAZaHcZxUg=',
  returnsDeletedObject: true,
  enforcement: 'stored',
  resetFields: ['status'],
  defaults: (claim) => defaultClaimRequests(claim.spec),
  strategy: specStrategy<ResourceClaim>(
    {},
    {
      validateName: nameIsDNSSubdomain,
      validate: (claim, errors) => validateDeviceClaim(claim.spec?.devices ?? {}, 'spec.devices', errors),
      validateUpdate: validateClaimUpdate,
      // Later, the spec is what it was.
      validateInSteps: (claim, old, errors, context) =>
        checkSelectors(old === undefined ? selectorsOfClaim(claim.spec?.devices, 'spec.devices') : [], errors, context),
    },
  ),
  table: defineTable([nameColumn, 'State', 'Age'], (c, nowMs) => {
    const allocated = c.status?.allocation !== undefined;
    const states = [
      ...(isDeleting(c) ? ['deleted'] : []),
      ...(allocated ? ['allocated'] : isDeleting(c) ? [] : ['pending']),
      ...(allocated && (c.status?.reservedFor ?? []).length > 0 ? ['reserved'] : []),
    ];
    return [nameOf(c), states.join(','), age(c, nowMs)];
  }),
  subresources: {
    status: statusSubresource(
      'ResourceClaim',
      statusStrategy({ prepareForUpdate: dropStatusOfDeallocated, validateUpdate: validateClaimStatusUpdate }),
    ),
  },
});

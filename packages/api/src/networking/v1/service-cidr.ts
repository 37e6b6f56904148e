import { nameIsDNSSubdomain } from '@skiff/apimachinery';
import { validateServiceCIDR, validateServiceCIDRUpdate } from './validate-addresses.ts';
import { defineResource } from '../../define-resource.ts';
import type { ServiceCIDR } from '../../generated/types/networking-v1.ts';
import { keepMetadata, specStrategy, statusStrategy, statusSubresource } from '../../spec-and-status.ts';
import { age, defineTable, nameColumn, nameOf } from '../../table.ts';

export const serviceCIDR = defineResource<ServiceCIDR>({
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'ServiceCIDR',
  plural: 'servicecidrs',
  scope: 'Cluster',
  schemaName: 'io.k8s.api.networking.v1.ServiceCIDR',
  storageVersionHash: 'gNLvruQhW2g=',
  resetFields: ['status'],
  strategy: specStrategy<ServiceCIDR>(
    {},
    {
      validateName: nameIsDNSSubdomain,
      validate: (range, errors) => validateServiceCIDR(range, errors),
      validateUpdate: validateServiceCIDRUpdate,
    },
  ),
  table: defineTable([nameColumn, 'CIDRs', 'Age'], (c, nowMs) => [nameOf(c), (c.spec?.cidrs ?? []).join(','), age(c, nowMs)]),
  subresources: {
    status: statusSubresource('ServiceCIDR', statusStrategy({ prepareForUpdate: keepMetadata })),
  },
});

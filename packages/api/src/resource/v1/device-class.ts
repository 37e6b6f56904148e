import { nameIsDNSSubdomain } from '@skiff/apimachinery';
import { specStrategy } from '../../spec-and-status.ts';
import { checkSelectors } from './check-selectors.ts';
import { validateDeviceClassSpec } from './validate-claim.ts';
import { defineResource } from '../../define-resource.ts';
import type { DeviceClass } from '../../generated/types/resource-v1.ts';
import { age, defineTable, nameColumn, nameOf } from '../../table.ts';

export const deviceClass = defineResource<DeviceClass>({
  group: 'resource.k8s.io',
  version: 'v1',
  kind: 'DeviceClass',
  plural: 'deviceclasses',
  scope: 'Cluster',
  schemaName: 'io.k8s.api.resource.v1.DeviceClass',
  storageVersionHash: 'Yk2PTc1Ybxk=',
  returnsDeletedObject: true,
  enforcement: 'stored',
  strategy: specStrategy<DeviceClass>(
    { generation: { spec: 'io.k8s.api.resource.v1.DeviceClassSpec' }, status: false },
    {
      validateName: nameIsDNSSubdomain,
      validate: (c, errors) => validateDeviceClassSpec(c.spec ?? {}, errors),
      validateUpdate: (c, _old, errors) => validateDeviceClassSpec(c.spec ?? {}, errors),
      validateInSteps: (c, _old, errors, context) =>
        checkSelectors([{ selectors: c.spec?.selectors, path: 'spec.selectors' }], errors, context),
    },
  ),
  table: defineTable([nameColumn, 'Age'], (o, nowMs) => [nameOf(o), age(o, nowMs)]),
});

import { nameIsDNSSubdomain } from '@skiff/apimachinery';
import { semanticEqual } from '../../semantic-equality.ts';
import { specStrategy } from '../../spec-and-status.ts';
import { checkSelectors } from './check-selectors.ts';
import { validateDeviceClassSpec } from './validate-claim.ts';
import { defineResource } from '../../define-resource.ts';
import type { DeviceClass } from '../../generated/types/resource-v1.ts';
import { age, defineTable, nameColumn, nameOf } from '../../table.ts';

const struct = 'io.k8s.api.resource.v1.DeviceClassSpec';

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
    { generation: { spec: struct }, status: false },
    {
      validateName: nameIsDNSSubdomain,
      validate: (c, errors) => validateDeviceClassSpec(c.spec ?? {}, errors),
      validateUpdate: (c, _old, errors) => validateDeviceClassSpec(c.spec ?? {}, errors),
      // What was taken before stays: a label can be changed also where the selectors were stored before they were looked at.
      validateInSteps: (c, old, errors, context) =>
        checkSelectors(
          semanticEqual(struct, c.spec, old?.spec) ? [] : [{ selectors: c.spec?.selectors, path: 'spec.selectors' }],
          errors,
          context,
        ),
    },
  ),
  table: defineTable([nameColumn, 'Age'], (o, nowMs) => [nameOf(o), age(o, nowMs)]),
});

import { validateSlice } from './validate-slice.ts';
import { validateSliceUpdate } from './validate.ts';
import { nameIsDNSSubdomain } from '@skiff/apimachinery';
import { specStrategy } from '../../spec-and-status.ts';
import { defineResource } from '../../define-resource.ts';
import type { ResourceSlice } from '../../generated/types/resource-v1.ts';
import { age, defineTable, nameColumn, nameOf } from '../../table.ts';

export const resourceSlice = defineResource<ResourceSlice>({
  group: 'resource.k8s.io',
  version: 'v1',
  kind: 'ResourceSlice',
  plural: 'resourceslices',
  scope: 'Cluster',
  schemaName: 'io.k8s.api.resource.v1.ResourceSlice',
  storageVersionHash: 'KsC072WgaEY=',
  returnsDeletedObject: true,
  enforcement: 'stored',
  selectableFields: { 'spec.nodeName': (s) => s.spec?.nodeName ?? '', 'spec.driver': (s) => s.spec?.driver ?? '' },
  strategy: specStrategy<ResourceSlice>(
    { generation: { spec: 'io.k8s.api.resource.v1.ResourceSliceSpec' }, status: false },
    {
      validateName: nameIsDNSSubdomain,
      prepareForCreate: (draft, { now }) => dateTaints(draft, now),
      prepareForUpdate: (draft, _old, { now }) => dateTaints(draft, now),
      validate: (slice, errors) => validateSlice(slice, errors),
      validateUpdate: validateSliceUpdate,
    },
  ),
  table: defineTable([nameColumn, 'Node', 'Driver', 'Pool', 'Age'], (s, nowMs) => [
    nameOf(s),
    s.spec?.nodeName ?? '',
    s.spec?.driver ?? '',
    s.spec?.pool?.name ?? '',
    age(s, nowMs),
  ]),
});

/** When a device was tainted, unless the driver said so. */
function dateTaints(slice: ResourceSlice, now: string): void {
  for (const device of slice.spec?.devices ?? []) for (const taint of device.taints ?? []) taint.timeAdded ??= now;
}

import { validateSlice } from './validate-slice.ts';
import { validateSliceUpdate } from './validate.ts';
import { type DeepReadonly, nameIsDNSSubdomain, type StrategyContext } from '@skiff/apimachinery';
import { listAttributes } from './validate-device.ts';
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
      prepareForCreate: (draft, { now, warn }) => {
        dropAlphaFields(draft, undefined, warn);
        dateTaints(draft, now);
      },
      prepareForUpdate: (draft, old, { now, warn }) => {
        dropAlphaFields(draft, old, warn);
        dateTaints(draft, now);
      },
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

/** Fields of features that are alpha in 1.36, unless the stored slice has such fields already. */
function dropAlphaFields(draft: ResourceSlice, old: DeepReadonly<ResourceSlice> | undefined, warn: StrategyContext['warn']): void {
  const before = old?.spec?.devices ?? [];
  const keepsLists = before.some((d) => Object.values(d.attributes ?? {}).some((a) => listAttributes.some((f) => a[f] !== undefined)));
  const keepsMappings = before.some((d) => d.nodeAllocatableResourceMappings !== undefined);
  const dropped = (field: string): void => warn?.(`spec.devices${field}: not supported; the field was dropped`);
  for (const [i, device] of (draft.spec?.devices ?? []).entries()) {
    if (device.nodeAllocatableResourceMappings !== undefined && !keepsMappings) {
      delete device.nodeAllocatableResourceMappings;
      dropped(`[${i}].nodeAllocatableResourceMappings`);
    }
    for (const [key, attribute] of keepsLists ? [] : Object.entries(device.attributes ?? {})) {
      for (const field of listAttributes) {
        if (attribute[field] === undefined) continue;
        delete attribute[field];
        dropped(`[${i}].attributes[${key}].${field}`);
      }
    }
  }
}

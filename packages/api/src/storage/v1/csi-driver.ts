import { defineResource } from '../../define-resource.ts';
import type { CSIDriver } from '../../generated/types/storage-v1.ts';
import { specStrategy } from '../../spec-and-status.ts';
import { age, boolean, defineTable, nameColumn, nameOf, orNone } from '../../table.ts';

export const csiDriver = defineResource<CSIDriver>({
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'CSIDriver',
  plural: 'csidrivers',
  scope: 'Cluster',
  schemaName: 'io.k8s.api.storage.v1.CSIDriver',
  storageVersionHash: 'hL6j/rwBV5w=',
  returnsDeletedObject: true,
  enforcement: 'stored',
  strategy: specStrategy<CSIDriver>(
    { generation: { spec: 'io.k8s.api.storage.v1.CSIDriverSpec' }, status: false },
    { allowUnconditionalUpdate: false },
  ),
  defaults(driver) {
    const spec = driver.spec;
    if (spec === undefined) return;
    spec.attachRequired ??= true;
    spec.podInfoOnMount ??= false;
    spec.storageCapacity ??= false;
    spec.fsGroupPolicy ??= 'ReadWriteOnceWithFSType';
    if ((spec.volumeLifecycleModes ?? []).length === 0) spec.volumeLifecycleModes = ['Persistent'];
    spec.requiresRepublish ??= false;
    spec.seLinuxMount ??= false;
  },
  table: defineTable(
    [
      nameColumn,
      boolean('AttachRequired'),
      boolean('PodInfoOnMount'),
      boolean('StorageCapacity'),
      'TokenRequests',
      boolean('RequiresRepublish'),
      'Modes',
      'Age',
    ],
    (d, nowMs) => [
      nameOf(d),
      d.spec?.attachRequired ?? true,
      d.spec?.podInfoOnMount ?? false,
      d.spec?.storageCapacity ?? false,
      d.spec?.tokenRequests === undefined ? '<unset>' : d.spec.tokenRequests.map((t) => t.audience).join(','),
      d.spec?.requiresRepublish ?? false,
      orNone((d.spec?.volumeLifecycleModes ?? []).join(',')),
      age(d, nowMs),
    ],
  ),
});

import { type DeepReadonly, nameIsDNSSubdomain } from '@skiff/apimachinery';
import { driverWarnings, validateDriver, validateDriverUpdate } from './validate-drivers.ts';
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
  enforcement: 'enforced',
  strategy: specStrategy<CSIDriver>(
    { generation: { spec: 'io.k8s.api.storage.v1.CSIDriverSpec' }, status: false },
    {
      validateName: nameIsDNSSubdomain,
      allowUnconditionalUpdate: false,
      /** Counts changes only: upstream does not start at one. */
      prepareForCreate(draft, { warn }) {
        delete draft.metadata?.generation;
        dropAlphaFields(draft, undefined, warn);
      },
      prepareForUpdate: (draft, old, { warn }) => dropAlphaFields(draft, old, warn),
      validate: (driver, errors) => validateDriver(driver, errors),
      validateUpdate: validateDriverUpdate,
      warnings: driverWarnings,
    },
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

/** `preventPodSchedulingIfMissing` is alpha. */
function dropAlphaFields(draft: CSIDriver, old: DeepReadonly<CSIDriver> | undefined, warn: ((text: string) => void) | undefined): void {
  if (draft.spec?.preventPodSchedulingIfMissing === undefined || old?.spec?.preventPodSchedulingIfMissing !== undefined) return;
  delete draft.spec.preventPodSchedulingIfMissing;
  warn?.('spec.preventPodSchedulingIfMissing: not supported; the field was dropped');
}

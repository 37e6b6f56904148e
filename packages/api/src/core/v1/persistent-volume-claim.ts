import { defineResource } from '../../define-resource.ts';
import type { PersistentVolumeClaim, PersistentVolumeClaimSpec } from '../../generated/types/core-v1.ts';
import { specStrategy, statusSubresource } from '../../spec-and-status.ts';
import { roundResources } from './resource-list.ts';
import { persistentVolumeClaimTable } from './volume-tables.ts';

export const persistentVolumeClaim = defineResource<PersistentVolumeClaim>({
  group: '',
  version: 'v1',
  kind: 'PersistentVolumeClaim',
  plural: 'persistentvolumeclaims',
  scope: 'Namespaced',
  shortNames: ['pvc'],
  schemaName: 'io.k8s.api.core.v1.PersistentVolumeClaim',
  storageVersionHash: 'QWTyNDq0dC4=',
  returnsDeletedObject: true,
  enforcement: 'stored',
  resetFields: ['status'],
  defaults: defaultClaim,
  strategy: specStrategy<PersistentVolumeClaim>(
    {},
    { prepareForCreate: startClaim, prepareForUpdate: (draft) => mirrorDataSources(draft) },
  ),
  table: persistentVolumeClaimTable,
  subresources: {
    status: statusSubresource('PersistentVolumeClaim'),
  },
});

export function defaultClaimSpec(spec: PersistentVolumeClaimSpec): void {
  spec.volumeMode ??= 'Filesystem';
  roundResources(spec.resources?.requests);
  roundResources(spec.resources?.limits);
}

function defaultClaim(claim: PersistentVolumeClaim): void {
  claim.status ??= {};
  claim.status.phase ||= 'Pending';
  defaultClaimSpec((claim.spec ??= {}));
}

function startClaim(claim: PersistentVolumeClaim): void {
  claim.status = { phase: 'Pending' };
  mirrorDataSources(claim);
}

/**
 * `dataSource` and `dataSourceRef` name the same thing, the older one without a namespace. A data source of an unknown kind in the
 * old field was always dropped, and still is.
 */
function mirrorDataSources(claim: PersistentVolumeClaim): void {
  const spec = claim.spec;
  if (spec === undefined) return;
  if (spec.dataSource && !spec.dataSourceRef) {
    const known =
      (spec.dataSource.kind === 'PersistentVolumeClaim' && !spec.dataSource.apiGroup) ||
      (spec.dataSource.kind === 'VolumeSnapshot' && spec.dataSource.apiGroup === 'snapshot.storage.k8s.io');
    if (!known) delete spec.dataSource;
    else spec.dataSourceRef = { ...spec.dataSource };
  } else if (spec.dataSourceRef && !spec.dataSource && !spec.dataSourceRef.namespace) {
    const { kind, name, apiGroup } = spec.dataSourceRef;
    spec.dataSource = { kind, name, ...(apiGroup === undefined ? {} : { apiGroup }) };
  }
}

import { type DeepReadonly, nameIsDNSSubdomain } from '@skiff/apimachinery';
import { defineResource } from '../../define-resource.ts';
import type { PersistentVolumeClaim, PersistentVolumeClaimSpec } from '../../generated/types/core-v1.ts';
import { specStrategy, statusStrategy, statusSubresource } from '../../spec-and-status.ts';
import { claimWarnings } from './persistent-volume-warnings.ts';
import { roundResources } from './resource-list.ts';
import { validateClaim, validateClaimStatus, validateClaimUpdate } from './validate-persistent-volume-claim.ts';
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
  enforcement: 'enforced',
  resetFields: ['status'],
  defaults: defaultClaim,
  strategy: specStrategy<PersistentVolumeClaim>(
    {},
    {
      validateName: nameIsDNSSubdomain,
      prepareForCreate: startClaim,
      prepareForUpdate: mirrorDataSources,
      validate: (claim, errors) => validateClaim(claim, errors),
      validateUpdate: validateClaimUpdate,
      warnings: claimWarnings,
    },
  ),
  selectableFields: { name: (c) => c.metadata?.name ?? '' },
  table: persistentVolumeClaimTable,
  subresources: {
    status: statusSubresource(
      'PersistentVolumeClaim',
      statusStrategy({ validateUpdate: (claim, _old, errors) => validateClaimStatus(claim, errors) }),
    ),
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
function mirrorDataSources(claim: PersistentVolumeClaim, old?: DeepReadonly<PersistentVolumeClaim>): void {
  const spec = claim.spec;
  if (spec === undefined) return;
  const before = old?.spec;
  // Sources in other namespaces are an alpha feature.
  if (spec.dataSourceRef?.namespace && before?.dataSourceRef === undefined) delete spec.dataSourceRef;
  if (spec.dataSource && !spec.dataSourceRef) {
    const known =
      (spec.dataSource.kind === 'PersistentVolumeClaim' && !spec.dataSource.apiGroup) ||
      (spec.dataSource.kind === 'VolumeSnapshot' && spec.dataSource.apiGroup === 'snapshot.storage.k8s.io');
    if (!known && !before?.dataSource && !before?.dataSourceRef) delete spec.dataSource;
    else spec.dataSourceRef = { ...spec.dataSource };
  } else if (spec.dataSourceRef && !spec.dataSource && !spec.dataSourceRef.namespace) {
    const { kind, name, apiGroup } = spec.dataSourceRef;
    spec.dataSource = { kind, name, ...(apiGroup === undefined ? {} : { apiGroup }) };
  }
}

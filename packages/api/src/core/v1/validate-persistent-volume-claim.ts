import { compareQuantities, type DeepReadonly, FieldErrors, validateLabelSelector } from '@skiff/apimachinery';
import type { PersistentVolumeClaim, PersistentVolumeClaimSpec } from '../../generated/types/core-v1.ts';
import { goValue } from '../../go-value.ts';
import { semanticEqual } from '../../semantic-equality.ts';
import { jsonDiff } from '../../unified-diff.ts';
import { immutable, keyPath, passes, qualifiedName } from '../../validation.ts';
import { betaStorageClass } from './persistent-volume-warnings.ts';
import { isNativeResource } from './resource-names.ts';
import { validateBasicResource, validateQuantityOf } from './resource-requirements.ts';
import { type ClaimValidationOptions, isSmaller, validateClaimSpec } from './volume-claim-validation.ts';

type Claim = DeepReadonly<PersistentVolumeClaim>;
type Spec = DeepReadonly<PersistentVolumeClaimSpec>;
const specStruct = 'io.k8s.api.core.v1.PersistentVolumeClaimSpec';

/** Faults of the stored claim that it may keep. */
function optionsOf(old: Claim | undefined): ClaimValidationOptions {
  if (old === undefined) return {};
  const found = new FieldErrors();
  validateLabelSelector(old.spec?.selector, '', found);
  return {
    allowInvalidLabelValueInSelector: !found.empty,
    allowInvalidAPIGroup: typeof (old.spec?.dataSource?.apiGroup ?? old.spec?.dataSourceRef?.apiGroup) === 'string',
  };
}

export const validateClaim = (claim: Claim, errors: FieldErrors, old?: Claim): void =>
  validateClaimSpec(claim.spec ?? {}, 'spec', errors, optionsOf(old));

/** The class may come from the annotation of old, or from nowhere, but not change. */
function keepsClass(claim: Claim, old: Claim, errors: FieldErrors): boolean {
  const [written, before] = [claim.metadata?.annotations?.[betaStorageClass], old.metadata?.annotations?.[betaStorageClass]];
  const [name, oldName] = [claim.spec?.storageClassName, old.spec?.storageClassName];
  const adopts = oldName === undefined && name !== undefined;
  if (adopts && before === name && (written === undefined || written === before)) return true;
  immutable(errors, `metadata.annotations.${betaStorageClass}`, written ?? '', before ?? '');
  return adopts && (before === undefined || before === name);
}

/** The new spec with what may differ from the old one made equal. */
function withoutMutable(claim: Claim, old: Claim, classMayDiffer: boolean): Spec {
  const [spec, before] = [claim.spec ?? {}, old.spec ?? {}];
  const bound = claim.status?.phase === 'Bound';
  const { requests } = spec.resources ?? {};
  const storage = before.resources?.requests?.['storage'] ?? '0';
  return {
    ...spec,
    ...(before.volumeName ? {} : { volumeName: before.volumeName }),
    ...(classMayDiffer ? { storageClassName: before.storageClassName } : {}),
    ...(bound ? { volumeAttributesClassName: before.volumeAttributesClassName } : {}),
    ...(bound && requests ? { resources: { ...spec.resources, requests: { ...requests, storage } } } : {}),
  } as Spec;
}

export function validateClaimUpdate(claim: Claim, old: Claim, errors: FieldErrors): void {
  validateClaim(claim, errors, old);
  const [spec, before]: [Spec, Spec] = [claim.spec ?? {}, old.spec ?? {}];
  const kept = withoutMutable(claim, old, keepsClass(claim, old, errors));
  if (!semanticEqual(specStruct, kept, before)) {
    // Upstream clears what may be set once in the old claim, and so shows it.
    const base = before.volumeName ? before : { ...before, volumeName: spec.volumeName };
    const shown = before.volumeName ? kept : { ...kept, volumeName: spec.volumeName };
    const diff = jsonDiff(goValue(specStruct, base), goValue(specStruct, shown));
    errors.forbidden(
      'spec',
      `spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n${diff}`,
    );
  }
  const size = spec.resources?.requests?.['storage'];
  const capacity = old.status?.capacity?.['storage'] ?? '0';
  if (isSmaller(size, before.resources?.requests?.['storage']) && compareQuantities(size ?? '0', capacity) <= 0) {
    errors.forbidden('spec.resources.requests.storage', 'field can not be less than status.capacity');
  }
  immutable(errors, 'volumeMode', spec.volumeMode, before.volumeMode);
  const attributes = spec.volumeAttributesClassName;
  if (attributes === before.volumeAttributesClassName || old.status?.currentVolumeAttributesClassName === undefined) return;
  const path = 'spec.volumeAttributesClassName';
  const detail = 'is forbidden when status.currentVolumeAttributesClassName is not nil';
  if (attributes === undefined) errors.forbidden(path, `update to nil ${detail}`);
  else if (attributes === '') errors.forbidden(path, `update to empty string ${detail}`);
}

function validateResourceKey(name: string, path: string, errors: FieldErrors): void {
  if (!passes(errors, () => qualifiedName(errors, path, name))) return;
  if (isNativeResource(name) && name !== 'storage') errors.notSupported(path, name, ['storage']);
}

const resizeStatuses = [
  'ControllerResizeInProgress',
  'ControllerResizeInfeasible',
  'NodeResizeInProgress',
  'NodeResizeInfeasible',
  'NodeResizePending',
].sort();

export function validateClaimStatus(claim: Claim, errors: FieldErrors): void {
  const status = claim.status ?? {};
  if ((claim.spec?.accessModes ?? []).length === 0) errors.required('Spec.accessModes');
  for (const [name, quantity] of Object.entries(status.capacity ?? {})) {
    validateBasicResource(quantity, keyPath('status.capacity', name), errors);
  }
  const statuses = 'status.allocatedResourceStatuses';
  for (const [name, state] of Object.entries(status.allocatedResourceStatuses ?? {})) {
    validateResourceKey(name, statuses, errors);
    if (!resizeStatuses.includes(state)) errors.notSupported(statuses, name, resizeStatuses);
  }
  const allocated = 'status.allocatedResources';
  for (const [name, quantity] of Object.entries(status.allocatedResources ?? {})) {
    if (!passes(errors, () => validateResourceKey(name, allocated, errors))) continue;
    const at = keyPath(allocated, name);
    if (passes(errors, () => validateBasicResource(quantity, at, errors))) validateQuantityOf('storage', quantity, at, errors);
  }
}

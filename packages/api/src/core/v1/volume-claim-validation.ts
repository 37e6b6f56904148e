import {
  compareQuantities,
  type DeepReadonly,
  type FieldErrors,
  nameIsDNSLabel,
  nameIsDNSSubdomain,
  type ObjectMeta,
  quantitySign,
  validateAnnotations,
  validateLabels,
  validateLabelSelector,
} from '@skiff/apimachinery';
import type { PersistentVolumeClaimSpec, PersistentVolumeClaimTemplate, TypedObjectReference } from '../../generated/types/core-v1.ts';
import { dnsSubdomain, invalidEach, isNotPositiveError, requireText } from '../../validation.ts';
import { validateQuantityOf } from './resource-requirements.ts';

export const accessModes = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod'];
export const volumeModes = ['Block', 'Filesystem'];

export function validateAccessModes(modes: readonly string[], path: string, errors: FieldErrors): void {
  for (const mode of modes) if (!accessModes.includes(mode)) errors.notSupported(path, mode, accessModes);
  const once = modes.includes('ReadWriteOncePod');
  if (once && modes.some((m) => m !== 'ReadWriteOncePod' && accessModes.includes(m))) {
    errors.forbidden(path, 'may not use ReadWriteOncePod with other access modes');
  }
}

export interface ClaimValidationOptions {
  readonly allowInvalidLabelValueInSelector?: boolean;
  readonly allowInvalidAPIGroup?: boolean;
}

type Reference = DeepReadonly<TypedObjectReference>;

function validateDataSource(source: Reference, path: string, errors: FieldErrors, options: ClaimValidationOptions): void {
  requireText(errors, `${path}.name`, source.name);
  requireText(errors, `${path}.kind`, source.kind);
  const group = source.apiGroup ?? '';
  if (group === '' && source.kind !== 'PersistentVolumeClaim') {
    errors.invalid(path, source.kind ?? '', "must be 'PersistentVolumeClaim' when referencing the default apiGroup");
  }
  if (group !== '' && !options.allowInvalidAPIGroup) dnsSubdomain(errors, `${path}.apiGroup`, group);
  if (source.namespace) invalidEach(errors, `${path}.namespace`, source.namespace, nameIsDNSLabel(source.namespace, false));
}

export function validateClaimSpec(
  spec: DeepReadonly<PersistentVolumeClaimSpec>,
  path: string,
  errors: FieldErrors,
  options: ClaimValidationOptions = {},
): void {
  const modes = spec.accessModes ?? [];
  if (modes.length === 0) errors.required(`${path}.accessModes`, 'at least 1 access mode is required');
  validateLabelSelector(spec.selector, `${path}.selector`, errors, {
    allowInvalidLabelValueInSelector: options.allowInvalidLabelValueInSelector ?? false,
  });
  validateAccessModes(modes, `${path}.accessModes`, errors);
  validateStorageRequest(spec.resources?.requests?.['storage'], `${path}.resources[storage]`, errors);
  if (spec.storageClassName) {
    invalidEach(errors, `${path}.storageClassName`, spec.storageClassName, nameIsDNSSubdomain(spec.storageClassName, false));
  }
  if (spec.volumeMode !== undefined && !volumeModes.includes(spec.volumeMode)) {
    errors.notSupported(`${path}.volumeMode`, spec.volumeMode, volumeModes);
  }
  const { dataSource, dataSourceRef } = spec;
  if (dataSource) validateDataSource(dataSource, `${path}.dataSource`, errors, options);
  if (dataSourceRef) validateDataSource(dataSourceRef, `${path}.dataSourceRef`, errors, options);
  if (dataSource && dataSourceRef) {
    const same =
      (dataSource.apiGroup ?? '') === (dataSourceRef.apiGroup ?? '') &&
      dataSource.kind === dataSourceRef.kind &&
      dataSource.name === dataSourceRef.name;
    if (dataSourceRef.namespace) errors.invalid(path, {}, 'may not be specified when dataSourceRef.namespace is specified');
    else if (!same) errors.invalid(path, {}, 'must match dataSourceRef');
  }
  if (spec.volumeAttributesClassName) {
    const name = spec.volumeAttributesClassName;
    invalidEach(errors, `${path}.volumeAttributesClassName`, name, nameIsDNSSubdomain(name, false));
  }
}

function validateStorageRequest(quantity: string | undefined, path: string, errors: FieldErrors): void {
  if (quantity === undefined) errors.required(path);
  else if (quantitySign(quantity) <= 0) errors.invalid(path, quantity, isNotPositiveError);
  else validateQuantityOf('storage', quantity, path, errors);
}

/** Of the template of a claim nothing but labels and annotations may be set in metadata. */
export function validateTemplateMetadata(meta: DeepReadonly<ObjectMeta>, path: string, errors: FieldErrors): void {
  validateAnnotations(meta.annotations, `${path}.annotations`, errors);
  validateLabels(meta.labels, `${path}.labels`, errors);
  const goNames: Readonly<Record<string, string>> = { uid: 'uID' };
  for (const [field, value] of Object.entries(meta)) {
    if (field === 'labels' || field === 'annotations' || value === undefined || value === null || value === '') continue;
    errors.forbidden(`${path}.${goNames[field] ?? field}`, 'cannot be set');
  }
}

export function validateClaimTemplate(template: DeepReadonly<PersistentVolumeClaimTemplate>, path: string, errors: FieldErrors): void {
  validateTemplateMetadata(template.metadata ?? {}, `${path}.metadata`, errors);
  validateClaimSpec(template.spec ?? {}, `${path}.spec`, errors);
}

export const isSmaller = (a: string | undefined, b: string | undefined): boolean => compareQuantities(a ?? '0', b ?? '0') < 0;

import type { FieldErrors } from './field-error.ts';
import { validateLabels } from './label-selector-validation.ts';
import { isPathSegmentName, isQualifiedName, nameIsDNSLabel, regexError } from './name-validation.ts';
import { type DeepReadonly, type ObjectMeta, type OwnerReference, parseGroupVersion } from './object.ts';
import type { NameValidator } from './resource-definition.ts';

export const isNegativeError = 'must be greater than or equal to 0';
export const fieldImmutableError = 'field is immutable';

const annotationsSizeLimitBytes = 256 * 1024;

export interface ObjectMetaRules {
  readonly scope: 'Namespaced' | 'Cluster';
  /** The kind's own rule for names; the rule for URL path segments where it has none. */
  readonly validateName?: NameValidator | undefined;
}

/** Rules for the metadata of any object (upstream's ValidateObjectMeta). `path` is `metadata`, or where a template has it. */
export function validateObjectMeta(meta: DeepReadonly<ObjectMeta>, rules: ObjectMetaRules, errors: FieldErrors, path = 'metadata'): void {
  const validateName = rules.validateName ?? isPathSegmentName;
  if (meta.generateName) {
    for (const complaint of validateName(meta.generateName, true)) errors.invalid(`${path}.generateName`, meta.generateName, complaint);
  }
  if (!meta.name) errors.required(`${path}.name`, 'name or generateName is required');
  else for (const complaint of validateName(meta.name, false)) errors.invalid(`${path}.name`, meta.name, complaint);

  if (rules.scope === 'Cluster') {
    if (meta.namespace) errors.forbidden(`${path}.namespace`, 'not allowed on this type');
  } else if (!meta.namespace) {
    errors.required(`${path}.namespace`);
  } else {
    for (const complaint of nameIsDNSLabel(meta.namespace, false)) errors.invalid(`${path}.namespace`, meta.namespace, complaint);
  }
  if ((meta.generation ?? 0) < 0) errors.invalid(`${path}.generation`, meta.generation, isNegativeError);
  validateSharedMeta(meta, path, errors);
}

/** What an update may not change in metadata (upstream's ValidateObjectMetaUpdate). */
export function validateObjectMetaUpdate(
  meta: DeepReadonly<ObjectMeta>,
  old: DeepReadonly<ObjectMeta>,
  errors: FieldErrors,
  path = 'metadata',
): void {
  if (old.deletionTimestamp) validateNoNewFinalizers(meta, old, `${path}.finalizers`, errors);
  if (!meta.resourceVersion) errors.invalid(`${path}.resourceVersion`, meta.resourceVersion ?? '', 'must be specified for an update');
  if ((meta.generation ?? 0) < (old.generation ?? 0)) errors.invalid(`${path}.generation`, meta.generation ?? 0, 'must not be decremented');
  for (const field of ['name', 'namespace', 'uid'] as const) {
    if ((meta[field] ?? '') !== (old[field] ?? '')) errors.invalid(`${path}.${field}`, meta[field] ?? '', fieldImmutableError);
  }
  for (const field of ['creationTimestamp', 'deletionTimestamp', 'deletionGracePeriodSeconds'] as const) {
    if ((meta[field] ?? null) !== (old[field] ?? null)) errors.invalid(`${path}.${field}`, meta[field] ?? null, fieldImmutableError);
  }
  validateSharedMeta(meta, path, errors, 'update');
}

function validateSharedMeta(meta: DeepReadonly<ObjectMeta>, path: string, errors: FieldErrors, on: 'create' | 'update' = 'create'): void {
  validateLabels(meta.labels, `${path}.labels`, errors);
  validateAnnotations(meta.annotations, `${path}.annotations`, errors);
  validateOwnerReferences(meta.ownerReferences ?? [], `${path}.ownerReferences`, errors);
  if (on === 'create') validateFinalizers(meta.finalizers ?? [], `${path}.finalizers`, errors);
  validateManagedFields(meta.managedFields ?? [], `${path}.managedFields`, errors);
}

/** Keys are label keys of any case; keys and values together have at most 256 KiB. */
export function validateAnnotations(annotations: Readonly<Record<string, string>> | undefined, path: string, errors: FieldErrors): void {
  let bytes = 0;
  for (const [key, value] of Object.entries(annotations ?? {})) {
    for (const complaint of isQualifiedName(key.toLowerCase())) errors.invalid(path, key, complaint);
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value);
  }
  if (bytes > annotationsSizeLimitBytes) errors.tooLong(path, annotationsSizeLimitBytes);
}

function validateOwnerReferences(references: readonly DeepReadonly<OwnerReference>[], path: string, errors: FieldErrors): void {
  let controller: string | undefined;
  for (const reference of references) {
    const { group, version } = parseGroupVersion(reference.apiVersion ?? '');
    if (version === '') errors.invalid(`${path}.apiVersion`, reference.apiVersion ?? '', 'version must not be empty');
    if (!reference.kind) errors.invalid(`${path}.kind`, '', 'must not be empty');
    if (!reference.name) errors.invalid(`${path}.name`, '', 'must not be empty');
    if (!reference.uid) errors.invalid(`${path}.uid`, '', 'must not be empty');
    if (group === '' && version === 'v1' && reference.kind === 'Event') {
      errors.invalid(path, reference, '/v1, Kind=Event is disallowed from being an owner');
    }
    if (!reference.controller) continue;
    const name = `${reference.kind}/${reference.name}`;
    if (controller === undefined) controller = name;
    else {
      const detail = `Only one reference can have Controller set to true. Found "true" in references for ${controller} and ${name}`;
      errors.invalid(path, references, detail);
    }
  }
}

export function validateFinalizers(finalizers: readonly string[], path: string, errors: FieldErrors): void {
  for (const finalizer of finalizers) {
    for (const complaint of isQualifiedName(finalizer)) errors.invalid(path, finalizer, complaint);
  }
  if (finalizers.includes('orphan') && finalizers.includes('foregroundDeletion')) {
    errors.invalid(path, finalizers, 'finalizer orphan and foregroundDeletion cannot be both set');
  }
}

function validateNoNewFinalizers(meta: DeepReadonly<ObjectMeta>, old: DeepReadonly<ObjectMeta>, path: string, errors: FieldErrors): void {
  const had = new Set(old.finalizers ?? []);
  const extra = [...new Set(meta.finalizers ?? [])].filter((f) => !had.has(f)).sort();
  if (extra.length === 0) return;
  const list = `[]string{${extra.map((f) => JSON.stringify(f)).join(', ')}}`;
  errors.forbidden(path, `no new finalizers can be added if the object is being deleted, found new finalizers ${list}`);
}

function validateManagedFields(entries: NonNullable<DeepReadonly<ObjectMeta>['managedFields']>, path: string, errors: FieldErrors): void {
  for (const [i, entry] of entries.entries()) {
    if (entry.operation !== 'Apply' && entry.operation !== 'Update') {
      errors.invalid(`${path}[${i}].operation`, entry.operation ?? '', 'must be `Apply` or `Update`');
    }
    if (entry.fieldsType && entry.fieldsType !== 'FieldsV1')
      errors.invalid(`${path}[${i}].fieldsType`, entry.fieldsType, 'must be `FieldsV1`');
    validateFieldManager(entry.manager ?? '', `${path}[${i}].manager`, errors);
    if (Buffer.byteLength(entry.subresource ?? '') > 256) errors.tooLong(`${path}[${i}].subresource`, 256);
  }
}

/** `fieldManager` of create, update and patch options: printable, at most 128 bytes. */
export function validateFieldManager(manager: string, path: string, errors: FieldErrors): void {
  if (Buffer.byteLength(manager) > 128) errors.tooLong(path, 128);
  if (/^[ -~]*$/.test(manager)) return;
  let position = 0;
  for (const char of manager) {
    if (!/^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u.test(char)) {
      const code = (char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
      errors.invalid(path, manager, `invalid character U+${code} (at position ${position})`);
    }
    position += Buffer.byteLength(char);
  }
}

interface ConditionShape {
  type: string;
  status: string;
  observedGeneration?: number;
  lastTransitionTime: string | null;
  reason: string;
  message: string;
}

/** meta.k8s.io/v1 Condition lists. */
export function validateConditions(conditions: readonly DeepReadonly<Partial<ConditionShape>>[], path: string, errors: FieldErrors): void {
  const seen = new Set<string>();
  for (const [i, condition] of conditions.entries()) {
    const type = condition.type ?? '';
    if (seen.has(type)) errors.duplicate(`${path}[${i}].type`, type);
    seen.add(type);
    validateCondition(condition, `${path}[${i}]`, errors);
  }
}

const conditionReason = '[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?';
const conditionReasonError = regexError(
  "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric characters or '_,:', and must end with an alphanumeric character or '_'",
  conditionReason,
  'my_name',
  'MY_NAME',
  'MyName',
  'ReasonA,ReasonB',
  'ReasonA:ReasonB',
);
const conditionReasonRegex = new RegExp(`^${conditionReason}$`);

function validateCondition(condition: DeepReadonly<Partial<ConditionShape>>, path: string, errors: FieldErrors): void {
  for (const complaint of isQualifiedName(condition.type ?? '')) errors.invalid(`${path}.type`, condition.type ?? '', complaint);
  if (!['False', 'True', 'Unknown'].includes(condition.status ?? '')) {
    errors.notSupported(`${path}.status`, condition.status ?? '', ['False', 'True', 'Unknown']);
  }
  if ((condition.observedGeneration ?? 0) < 0) {
    errors.invalid(`${path}.observedGeneration`, condition.observedGeneration, 'must be greater than or equal to zero');
  }
  if (!condition.lastTransitionTime) errors.required(`${path}.lastTransitionTime`);
  const reason = condition.reason ?? '';
  if (reason === '') errors.required(`${path}.reason`);
  else {
    if (!conditionReasonRegex.test(reason)) {
      errors.invalid(`${path}.reason`, reason, conditionReasonError);
    }
    if (Buffer.byteLength(reason) > 1024) errors.tooLong(`${path}.reason`, 1024);
  }
  if (Buffer.byteLength(condition.message ?? '') > 32 * 1024) errors.tooLong(`${path}.message`, 32 * 1024);
}

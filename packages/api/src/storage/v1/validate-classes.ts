/** StorageClass, VolumeAttributesClass and CSIStorageCapacity. */
import {
  type DeepReadonly,
  type FieldErrors,
  fieldImmutableError,
  isNegativeError,
  labelSelectorHasInvalidLabelValue,
  nameIsDNSSubdomain,
  quantitySign,
  validateLabelName,
  validateLabelSelector,
} from '@skiff/apimachinery';
import { deprecatedNodeLabel } from '../../core/v1/deprecated-node-labels.ts';
import type { TopologySelectorTerm } from '../../generated/types/core-v1.ts';
import type { CSIStorageCapacity, StorageClass, VolumeAttributesClass } from '../../generated/types/storage-v1.ts';
import { deepEqual } from '../../semantic-equality.ts';
import { sortedMap } from '../../sorted-map.ts';
import { immutable, invalidEach, qualifiedName, requireText } from '../../validation.ts';

const max = { parameters: 512, bytes: 256 * 1024 };

function validateDriver(name: string, path: string, errors: FieldErrors): void {
  if (requireText(errors, path, name)) qualifiedName(errors, path, name.toLowerCase());
}

function validateParameters(parameters: Readonly<Record<string, string>>, errors: FieldErrors): void {
  const entries = Object.entries(parameters);
  if (entries.length > max.parameters) return errors.tooLong('parameters', max.parameters);
  for (const [key] of entries) if (key === '') errors.invalid('parameters', key, 'field can not be empty.');
  const size = entries.reduce((sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value), 0);
  if (size > max.bytes) errors.tooLong('parameters', max.bytes);
}

function validateTopologies(terms: readonly DeepReadonly<TopologySelectorTerm>[], errors: FieldErrors): void {
  const seen: string[] = [];
  for (const [i, term] of terms.entries()) {
    const at = `allowedTopologies[${i}].matchLabelExpressions`;
    const byKey = new Map<string, readonly string[]>();
    for (const [j, { key, values }] of (term.matchLabelExpressions ?? []).entries()) {
      const path = `${at}[${j}]`;
      if (values.length === 0) errors.required(`${path}.values`);
      for (const [n, value] of values.entries()) if (values.indexOf(value) < n) errors.duplicate(`${path}.values[${n}]`, value);
      validateLabelName(key, `${path}.key`, errors);
      if (byKey.has(key)) errors.duplicate(`${path}.key`, key);
      byKey.set(key, [...new Set(values)].sort());
    }
    const whole = JSON.stringify([...byKey].sort(([a], [b]) => (a < b ? -1 : 1)));
    if (byKey.size === 0 || seen.includes(whole)) errors.duplicate(at, '');
    seen.push(whole);
  }
}

export function validateStorageClass(c: DeepReadonly<StorageClass>, errors: FieldErrors): void {
  validateDriver(c.provisioner ?? '', 'provisioner', errors);
  validateParameters(c.parameters ?? {}, errors);
  const policies = ['Delete', 'Retain'];
  if (c.reclaimPolicy && !policies.includes(c.reclaimPolicy)) errors.notSupported('reclaimPolicy', c.reclaimPolicy, policies);
  const modes = ['Immediate', 'WaitForFirstConsumer'];
  if (c.volumeBindingMode === undefined) errors.required('volumeBindingMode');
  else if (!modes.includes(c.volumeBindingMode)) errors.notSupported('volumeBindingMode', c.volumeBindingMode, modes);
  validateTopologies(c.allowedTopologies ?? [], errors);
}

export function validateStorageClassUpdate(c: DeepReadonly<StorageClass>, old: DeepReadonly<StorageClass>, errors: FieldErrors): void {
  validateStorageClass(c, errors);
  immutable(errors, 'parameters', c.parameters, old.parameters, sortedMap(c.parameters));
  for (const field of ['provisioner', 'reclaimPolicy', 'volumeBindingMode'] as const) immutable(errors, field, c[field], old[field]);
}

export const storageClassWarnings = (c: DeepReadonly<StorageClass>): string[] =>
  (c.allowedTopologies ?? []).flatMap((term, i) =>
    (term.matchLabelExpressions ?? []).flatMap(({ key }, j) => {
      const message = deprecatedNodeLabel(key);
      return message === undefined ? [] : [`allowedTopologies[${i}].matchLabelExpressions[${j}].key: ${message}`];
    }),
  );

export function validateAttributesClass(c: DeepReadonly<VolumeAttributesClass>, errors: FieldErrors): void {
  validateDriver(c.driverName ?? '', 'driverName', errors);
  const parameters = c.parameters ?? {};
  validateParameters(parameters, errors);
  if (Object.keys(parameters).length === 0) errors.required('parameters', 'must contain at least one key/value pair');
}

export function validateAttributesClassUpdate(
  c: DeepReadonly<VolumeAttributesClass>,
  old: DeepReadonly<VolumeAttributesClass>,
  errors: FieldErrors,
): void {
  if (c.driverName !== old.driverName) errors.forbidden('driverName', 'updates to driverName are forbidden.');
  if (!deepEqual(c.parameters ?? {}, old.parameters ?? {})) errors.forbidden('parameters', 'updates to parameters are forbidden.');
  validateAttributesClass(c, errors);
}

type Capacity = DeepReadonly<CSIStorageCapacity>;

export function validateCapacity(capacity: Capacity, errors: FieldErrors, old?: Capacity): void {
  validateLabelSelector(capacity.nodeTopology, 'nodeTopology', errors, {
    allowInvalidLabelValueInSelector: labelSelectorHasInvalidLabelValue(old?.nodeTopology),
  });
  const name = capacity.storageClassName ?? '';
  invalidEach(errors, 'storageClassName', name, nameIsDNSSubdomain(name, false));
  if (capacity.capacity !== undefined && quantitySign(capacity.capacity) < 0) {
    errors.invalid('capacity', capacity.capacity, isNegativeError);
  }
}

export function validateCapacityUpdate(capacity: Capacity, old: Capacity, errors: FieldErrors): void {
  validateCapacity(capacity, errors, old);
  immutable(errors, 'nodeTopology', capacity.nodeTopology, old.nodeTopology);
  if (capacity.storageClassName !== old.storageClassName) {
    errors.invalid('storageClassName', capacity.storageClassName ?? '', fieldImmutableError);
  }
}

export const capacityWarnings = ({ nodeTopology }: Capacity): string[] => [
  ...(nodeTopology?.matchExpressions ?? []).flatMap(({ key }, i) => {
    const message = deprecatedNodeLabel(key);
    return message === undefined ? [] : [`nodeTopology.matchExpressions[${i}].key: ${key} is ${message}`];
  }),
  ...Object.keys(nodeTopology?.matchLabels ?? {}).flatMap((key) => {
    const message = deprecatedNodeLabel(key);
    return message === undefined ? [] : [`nodeTopology.matchLabels.${key}: ${message}`];
  }),
];

import {
  addQuantities,
  canonicalQuantity,
  compareQuantities,
  type DeepReadonly,
  type FieldErrors,
  formatQuantity,
  quantityValue,
  scaledQuantity,
} from '@skiff/apimachinery';
import type { CapacityRequestPolicy, CapacityRequestPolicyRange } from '../../generated/types/resource-v1.ts';
import { eachItem } from './each-item.ts';

const maxValues = 10;
const shown = canonicalQuantity;

/** How much of a shared device's capacity claims may ask for: some values, or a range. `capacity`: what there is of it. */
export function validateRequestPolicy(
  policy: DeepReadonly<CapacityRequestPolicy>,
  capacity: string,
  path: string,
  errors: FieldErrors,
): void {
  const values = policy.validValues ?? [];
  if (values.length > 0 && policy.validRange !== undefined) {
    const both = 'exactly one policy can be specified, cannot specify "validValues" and "validRange" at the same time';
    return errors.forbidden(path, both);
  }
  const byDefault = policy.default ?? undefined;
  if (values.length > 0) {
    if (byDefault === undefined) errors.required(`${path}.default`, 'required when validValues is defined');
    else validateValues(values, byDefault, capacity, `${path}.validValues`, errors);
  } else if (policy.validRange !== undefined) {
    if (byDefault === undefined) errors.required(`${path}.default`, 'required when validRange is defined');
    else validateRange(policy.validRange, byDefault, capacity, `${path}.validRange`, errors);
  }
}

function validateValues(values: readonly string[], byDefault: string, capacity: string, path: string, errors: FieldErrors): void {
  for (const [i, value] of values.entries()) {
    const before = values[i - 1];
    if (before !== undefined && compareQuantities(before, value) > 0) {
      errors.invalid(`${path}[${i}]`, shown(value), 'values must be sorted in ascending order');
    }
  }
  eachItem(errors, path, values, {
    max: maxValues,
    keyOf: (value) => scaledQuantity(value, 0).toString(),
    check: (value, at) => {
      if (compareQuantities(value, capacity) <= 0) return;
      errors.invalid(at, shown(value), `option is larger than capacity value: ${shown(capacity)}`);
    },
  });
  const known = values.length <= maxValues && values.some((value) => compareQuantities(value, byDefault) === 0);
  if (!known) errors.invalid(path, shown(byDefault), 'default value is not valid according to the requestPolicy');
}

function validateRange(
  { min, max, step }: DeepReadonly<Partial<CapacityRequestPolicyRange>>,
  byDefault: string,
  capacity: string,
  path: string,
  errors: FieldErrors,
): void {
  if (min === undefined || min === null) return errors.required(`${path}.min`, 'required when validRange is defined');
  const wrong = (field: string, value: string, detail: string): void => errors.invalid(`${path}.${field}`, shown(value), detail);
  if (compareQuantities(min, capacity) > 0) wrong('min', min, `min is larger than capacity value: ${shown(capacity)}`);
  if (compareQuantities(byDefault, min) < 0) wrong('min', byDefault, `default is less than min: ${shown(min)}`);
  if (max !== undefined) {
    if (compareQuantities(min, max) > 0) wrong('max', min, `min is larger than max: ${shown(max)}`);
    if (compareQuantities(max, capacity) > 0) wrong('max', max, `max is larger than capacity value: ${shown(capacity)}`);
    if (compareQuantities(byDefault, max) > 0) wrong('max', byDefault, `default is more than max: ${shown(max)}`);
  }
  if (step === undefined) return;
  const first = addQuantities(min, step);
  if (compareQuantities(first, capacity) > 0) {
    wrong('step', step, `one step ${formatQuantity(first)} is larger than capacity value: ${shown(capacity)}`);
  }
  const steps = quantityValue(step);
  for (const value of max === undefined ? [byDefault] : [byDefault, max]) {
    // Nothing is a multiple of zero.
    if (steps !== 0 && (scaledQuantity(value, 0) - scaledQuantity(min, 0)) % BigInt(steps) === 0n) continue;
    wrong('step', value, `value is not a multiple of a given step (${shown(step)}) from (${shown(min)})`);
  }
}

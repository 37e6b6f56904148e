import { lookupTable } from '@skiff/apimachinery';
import type { DeepReadonly, FieldErrors } from '@skiff/apimachinery';
import type { PriorityClass } from '../../generated/types/scheduling-v1.ts';
import { immutable, requireOneOf } from '../../validation.ts';

const systemPrefix = 'system-';
const systemClasses = lookupTable<number>({
  'system-node-critical': 2_000_001_000,
  'system-cluster-critical': 2_000_000_000,
});
const maxUserPriority = 1_000_000_000;

/** Why the class is none of the system's own; undefined when it is one. */
function systemComplaint(name: string, value: number, globalDefault: boolean): string | undefined {
  const expected = systemClasses[name];
  if (expected === undefined) return `${name} is not a known system priority class`;
  if (value !== expected) return `value of ${name} PriorityClass must be ${expected}`;
  return globalDefault ? `globalDefault of ${name} PriorityClass must be false` : undefined;
}

export function validatePriorityClass(c: DeepReadonly<PriorityClass>, errors: FieldErrors): void {
  const name = c.metadata?.name ?? '';
  if (name.startsWith(systemPrefix)) {
    const complaint = systemComplaint(name, c.value ?? 0, c.globalDefault ?? false);
    if (complaint !== undefined) {
      const reserved = `priority class names with '${systemPrefix}' prefix are reserved for system use only. error: ${complaint}`;
      errors.forbidden('metadata.name', reserved);
    }
  } else if ((c.value ?? 0) > maxUserPriority)
    errors.forbidden('value', `maximum allowed value of a user defined priority is ${maxUserPriority}`);
  if (c.preemptionPolicy !== undefined) {
    requireOneOf(errors, 'preemptionPolicy', c.preemptionPolicy, ['PreemptLowerPriority', 'Never']);
  }
}

export function validatePriorityClassUpdate(c: DeepReadonly<PriorityClass>, old: DeepReadonly<PriorityClass>, errors: FieldErrors): void {
  if ((c.value ?? 0) !== (old.value ?? 0)) errors.forbidden('value', 'may not be changed in an update.');
  immutable(errors, 'preemptionPolicy', c.preemptionPolicy, old.preemptionPolicy);
}

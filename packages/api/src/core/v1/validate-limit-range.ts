import { compareQuantities, type DeepReadonly, type FieldErrors, quantityValue } from '@skiff/apimachinery';
import type { LimitRange, LimitRangeItem } from '../../generated/types/core-v1.ts';
import { keyPath, passes, qualifiedName } from '../../validation.ts';
import { quantityNanos } from './resource-list.ts';
import { isOvercommitAllowed } from './resource-names.ts';
import { validateContainerResourceName, validateResourceName } from './resource-requirements.ts';

const types = ['Pod', 'Container', 'PersistentVolumeClaim'];

function validateType(type: string, path: string, errors: FieldErrors): void {
  if (!passes(errors, () => qualifiedName(errors, path, type))) return;
  if (!type.includes('/') && !types.includes(type)) errors.invalid(path, type, 'must be a standard limit type or fully qualified');
}

export function validateLimitRange(range: DeepReadonly<LimitRange>, errors: FieldErrors): void {
  const limits = range.spec?.limits ?? [];
  for (const [i, item] of limits.entries()) {
    const at = `spec.limits[${i}]`;
    validateType(item.type, `${at}.type`, errors);
    if (limits.findIndex((l) => l.type === item.type) < i) errors.duplicate(`${at}.type`, item.type);
    validateNames(item, at, errors);
    const used = [item.max, item.min, ...(item.type === 'Pod' ? [] : [item.default, item.defaultRequest]), item.maxLimitRequestRatio];
    for (const name of new Set(used.flatMap((list) => Object.keys(list ?? {})))) validateResource(item, name, at, errors);
  }
}

function validateNames(item: DeepReadonly<LimitRangeItem>, at: string, errors: FieldErrors): void {
  const check = item.type === 'Pod' || item.type === 'Container' ? validateContainerResourceName : validateResourceName;
  const names = (field: 'max' | 'min' | 'default' | 'defaultRequest' | 'maxLimitRequestRatio'): void => {
    for (const name of Object.keys(item[field] ?? {})) check(name, keyPath(`${at}.${field}`, name), errors);
  };
  names('max');
  names('min');
  for (const field of ['default', 'defaultRequest'] as const) {
    if (item.type !== 'Pod') names(field);
    else if (Object.keys(item[field] ?? {}).length > 0) errors.forbidden(`${at}.${field}`, "may not be specified when `type` is 'Pod'");
  }
  if (item.type === 'PersistentVolumeClaim' && item.min?.['storage'] === undefined && item.max?.['storage'] === undefined) {
    errors.required(`${at}.limits`, 'either minimum or maximum storage value is required, but neither was provided');
  }
  names('maxLimitRequestRatio');
}

const exceeds = (a: string | undefined, b: string | undefined): boolean =>
  a !== undefined && b !== undefined && compareQuantities(a, b) > 0;
/** Go's %f. */
const sixDecimals = (value: number): string => (Number.isFinite(value) ? value.toFixed(6) : '+Inf');

/** What the values of one resource must be to each other: min ≤ default request ≤ default ≤ max. */
function validateResource(item: DeepReadonly<LimitRangeItem>, name: string, at: string, errors: FieldErrors): void {
  const pod = item.type === 'Pod';
  const [min, max, ratio] = [item.min?.[name], item.max?.[name], item.maxLimitRequestRatio?.[name]];
  const [limit, request] = pod ? [undefined, undefined] : [item.default?.[name], item.defaultRequest?.[name]];
  const path = (field: string): string => keyPath(`${at}.${field}`, name);
  if (exceeds(min, max)) errors.invalid(path('min'), min, `min value ${min} is greater than max value ${max}`);
  const ofRequest = path('defaultRequest');
  if (exceeds(min, request)) errors.invalid(ofRequest, request, `min value ${min} is greater than default request value ${request}`);
  if (exceeds(request, max)) errors.invalid(ofRequest, request, `default request value ${request} is greater than max value ${max}`);
  if (exceeds(request, limit))
    errors.invalid(ofRequest, request, `default request value ${request} is greater than default limit value ${limit}`);
  if (exceeds(min, limit)) errors.invalid(path('default'), min, `min value ${min} is greater than default value ${limit}`);
  if (exceeds(limit, max)) errors.invalid(path('default'), max, `default value ${limit} is greater than max value ${max}`);
  if (ratio !== undefined) validateRatio(ratio, { min, max, path: path('maxLimitRequestRatio') }, errors);
  if (!isOvercommitAllowed(name) && limit !== undefined && request !== undefined && compareQuantities(limit, request) !== 0) {
    errors.invalid(ofRequest, request, `default value ${limit} must equal to defaultRequest value ${request} in ${name}`);
  }
}

function validateRatio(ratio: string, o: { min: string | undefined; max: string | undefined; path: string }, errors: FieldErrors): void {
  if (compareQuantities(ratio, '1') < 0) errors.invalid(o.path, ratio, `ratio ${ratio} is less than 1`);
  if (o.min === undefined || o.max === undefined) return;
  const most = Number(quantityNanos(o.max)) / Number(quantityNanos(o.min));
  const value = Number(quantityNanos(ratio)) / 1e9 || Number(quantityValue(ratio));
  if (value > most) errors.invalid(o.path, ratio, `ratio ${ratio} is greater than max/min = ${sixDecimals(most)}`);
}

import {
  compareQuantities,
  type DeepReadonly,
  type FieldErrors,
  isNegativeError,
  isQualifiedName,
  quantitySign,
  quantityValue,
} from '@skiff/apimachinery';
import type { CoreV1ResourceClaim as ResourceClaim, ResourceRequirements } from '../../generated/types/core-v1.ts';
import { dnsLabel, keyPath, passes, qualifiedName } from '../../validation.ts';
import { isWholeQuantity, quantityNanos } from './resource-list.ts';
import {
  countedResources,
  isHugePages,
  isNativeResource,
  isOvercommitAllowed,
  isPodLevelResource,
  isStandardContainerResource,
  isStandardResource,
} from './resource-names.ts';

const isUnqualified = (name: string): boolean => !name.includes('/');

export function validateResourceName(name: string, path: string, errors: FieldErrors): void {
  if (!passes(errors, () => qualifiedName(errors, path, name))) return;
  if (isUnqualified(name) && !isStandardResource(name)) errors.invalid(path, name, 'must be a standard resource type or fully qualified');
}

/** Counted in whole numbers, named by a domain of their own, and not already a quota's name. */
export const isExtendedResource = (name: string): boolean =>
  !isNativeResource(name) && !name.startsWith('requests.') && isQualifiedName(`requests.${name}`).length === 0;

export function validateContainerResourceName(name: string, path: string, errors: FieldErrors): void {
  validateResourceName(name, path, errors);
  if (isUnqualified(name)) {
    if (!isStandardContainerResource(name)) errors.invalid(path, name, 'must be a standard resource for containers');
  } else if (!isNativeResource(name) && !isExtendedResource(name)) {
    errors.invalid(path, name, "doesn't follow extended resource name standard");
  }
}

function validatePodResourceName(name: string, path: string, errors: FieldErrors): void {
  if (!passes(errors, () => validateResourceName(name, path, errors))) return;
  if (!isPodLevelResource(name)) errors.notSupported(path, name, ['cpu', 'hugepages-', 'memory']);
}

/** Not negative; whole where the resource is counted in pieces. */
export function validateQuantityOf(resource: string, quantity: string, path: string, errors: FieldErrors): void {
  if (quantitySign(quantity) < 0) errors.invalid(path, quantity, isNegativeError);
  if ((countedResources.has(resource) || isExtendedResource(resource)) && !isWholeQuantity(quantity)) {
    errors.invalid(path, quantity, 'must be an integer');
  }
}

export function validateBasicResource(quantity: string, path: string, errors: FieldErrors): void {
  const value = quantityValue(quantity);
  if (value < 0) errors.invalid(path, value, 'must be a valid resource quantity');
}

function validateHugePages(name: string, quantity: string, path: string, errors: FieldErrors): void {
  if (!isHugePages(name)) return;
  const size = hugePageSize(name);
  const divisible = size !== undefined && size > 0n && quantityNanos(quantity) % size === 0n;
  if (!divisible) errors.invalid(path, quantity, `${quantity} is not positive integer multiple of ${name}`);
}

function hugePageSize(name: string): bigint | undefined {
  const text = name.slice('hugepages-'.length);
  return /^[0-9.]+([KMGTPE]i|[kMGTPE]|[eE]\d+)?$/.test(text) ? quantityNanos(text) : undefined;
}

export interface RequirementRules {
  /** Of containers, or of the Pod as a whole. */
  readonly of: 'container' | 'pod';
  readonly claimNames: ReadonlySet<string>;
}

export function validateResourceRequirements(
  requirements: DeepReadonly<ResourceRequirements>,
  path: string,
  errors: FieldErrors,
  rules: RequirementRules,
): void {
  const validateName = rules.of === 'pod' ? validatePodResourceName : validateContainerResourceName;
  const limits = requirements.limits ?? {};
  const requests = requirements.requests ?? {};
  const check = (name: string, quantity: string, at: string): void => {
    validateName(name, at, errors);
    validateQuantityOf(name, quantity, at, errors);
  };
  for (const [name, quantity] of Object.entries(limits)) {
    const at = keyPath(`${path}.limits`, name);
    check(name, quantity, at);
    validateHugePages(name, quantity, at, errors);
  }
  for (const [name, quantity] of Object.entries(requests)) {
    const at = keyPath(`${path}.requests`, name);
    check(name, quantity, at);
    validateRequestAgainstLimit(name, quantity, limits[name], path, errors);
    validateHugePages(name, quantity, at, errors);
  }
  const names = [...Object.keys(limits), ...Object.keys(requests)];
  if (names.some(isHugePages) && !names.includes('cpu') && !names.includes('memory'))
    errors.forbidden(path, 'HugePages require cpu or memory');
  validateClaims(requirements.claims ?? [], `${path}.claims`, errors, rules.claimNames);
}

function validateRequestAgainstLimit(name: string, request: string, limit: string | undefined, path: string, errors: FieldErrors): void {
  const overcommit = isOvercommitAllowed(name);
  if (limit === undefined) {
    if (!overcommit) errors.required(`${path}.limits`, 'Limit must be set for non overcommitable resources');
    return;
  }
  const order = compareQuantities(request, limit);
  if (order !== 0 && !overcommit) errors.invalid(`${path}.requests`, request, `must be equal to ${name} limit of ${limit}`);
  else if (order > 0) errors.invalid(`${path}.requests`, request, `must be less than or equal to ${name} limit of ${limit}`);
}

function validateClaims(
  claims: readonly DeepReadonly<ResourceClaim>[],
  path: string,
  errors: FieldErrors,
  claimNames: ReadonlySet<string>,
): void {
  const seen = new Set<string>();
  for (const [i, { name, request }] of claims.entries()) {
    const at = `${path}[${i}]`;
    if (!name) {
      errors.required(at);
      continue;
    }
    if (seen.has(name)) errors.duplicate(at, name);
    else {
      const key = request ? `${name}/${request}` : name;
      if (request) dnsLabel(errors, `${at}.request`, request);
      if (seen.has(key)) errors.duplicate(at, key);
      else if (!request) for (const other of seen) if (other.startsWith(`${name}/`)) errors.duplicate(at, name);
      seen.add(key);
    }
    if (!claimNames.has(name)) {
      const names = claimNames.size === 0 ? ' which is empty' : `: ${[...claimNames].sort().join(', ')}`;
      errors.add(
        'FieldValueNotFound',
        at,
        `Not found: ${JSON.stringify(name)}: must be one of the names in pod.spec.resourceClaims${names}`,
      );
    }
  }
}

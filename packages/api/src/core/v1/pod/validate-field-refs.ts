import { type DeepReadonly, type FieldErrors, isZeroQuantity } from '@skiff/apimachinery';
import type { ObjectFieldSelector, ResourceFieldSelector } from '../../../generated/types/core-v1.ts';
import { qualifiedName, requireText } from '../../../validation.ts';

/** Fields that the downward API knows at all; each use allows a part of them. */
const knownFields = new Set([
  'metadata.annotations',
  'metadata.labels',
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.restartPolicy',
  'spec.serviceAccountName',
  'spec.schedulerName',
  'status.phase',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
]);

export const volumeFieldPaths = ['metadata.annotations', 'metadata.labels', 'metadata.name', 'metadata.namespace', 'metadata.uid'];
export const envFieldPaths = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
];

/** `metadata.labels['a']` → path and key. */
function subscript(fieldPath: string): { path: string; key: string } | undefined {
  const open = fieldPath.indexOf("['");
  if (open <= 0 || !fieldPath.endsWith("']")) return undefined;
  return { path: fieldPath.slice(0, open), key: fieldPath.slice(open + 2, -2) };
}

export function validateFieldRef(
  ref: DeepReadonly<ObjectFieldSelector>,
  allowed: readonly string[],
  path: string,
  errors: FieldErrors,
): void {
  if (!requireText(errors, `${path}.apiVersion`, ref.apiVersion)) return;
  if (!requireText(errors, `${path}.fieldPath`, ref.fieldPath)) return;
  const wrong = (detail: string): void => errors.invalid(`${path}.fieldPath`, ref.fieldPath, `error converting fieldPath: ${detail}`);
  if (ref.apiVersion !== 'v1') return wrong(`unsupported pod version: ${ref.apiVersion}`);
  const subscripted = subscript(ref.fieldPath);
  if (subscripted) {
    const { path: field, key } = subscripted;
    if (field === 'metadata.annotations') qualifiedName(errors, path, key.toLowerCase());
    else if (field === 'metadata.labels') qualifiedName(errors, path, key);
    else wrong(`field label does not support subscript: ${ref.fieldPath}`);
    return;
  }
  const field = ref.fieldPath === 'spec.host' ? 'spec.nodeName' : ref.fieldPath;
  if (!knownFields.has(field)) return wrong(`field label not supported: ${field}`);
  if (!allowed.includes(field)) errors.notSupported(`${path}.fieldPath`, field, allowed);
}

const resources = [
  'limits.cpu',
  'limits.ephemeral-storage',
  'limits.memory',
  'requests.cpu',
  'requests.ephemeral-storage',
  'requests.memory',
];
const sizeDivisors = ['1', '1k', '1M', '1G', '1T', '1P', '1E', '1Ki', '1Mi', '1Gi', '1Ti', '1Pi', '1Ei'];
const isHugePageRef = (resource: string): boolean => /^(requests|limits)\.hugepages-/.test(resource);

export function validateResourceFieldRef(
  ref: DeepReadonly<ResourceFieldSelector>,
  use: 'env' | 'volume',
  path: string,
  errors: FieldErrors,
): void {
  const resource = ref.resource ?? '';
  if (use === 'volume' && !ref.containerName) errors.required(`${path}.containerName`);
  else if (resource === '') errors.required(`${path}.resource`);
  else if (!resources.includes(resource) && !isHugePageRef(resource)) errors.notSupported(`${path}.resource`, resource, resources);
  validateDivisor(resource, ref.divisor ?? '0', `${path}.divisor`, errors);
}

function validateDivisor(resource: string, divisor: string, path: string, errors: FieldErrors): void {
  if (isZeroQuantity(divisor)) return;
  const [, kind = ''] = /^(?:requests|limits)\.(.*)$/.exec(resource) ?? [];
  if (kind === 'cpu') {
    if (divisor !== '1m' && divisor !== '1')
      errors.invalid(path, resource, "only divisor's values 1m and 1 are supported with the cpu resource");
    return;
  }
  const names: Readonly<Record<string, string>> = { memory: 'memory', 'ephemeral-storage': 'local ephemeral storage' };
  const name = kind.startsWith('hugepages-') ? 'hugepages' : names[kind];
  if (name !== undefined && !sizeDivisors.includes(divisor)) {
    errors.invalid(path, resource, `only divisor's values ${sizeDivisors.join(', ')} are supported with the ${name} resource`);
  }
}

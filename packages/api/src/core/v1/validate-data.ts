/** ConfigMap and Secret: keys that can be file names, and not too much in all. */
import { lookupTable, type DeepReadonly, type FieldErrors, isConfigMapKey } from '@skiff/apimachinery';
import type { ConfigMap, Secret } from '../../generated/types/core-v1.ts';
import { deepEqual } from '../../semantic-equality.ts';
import { invalidEach, keyPath } from '../../validation.ts';

const maxBytes = 1024 * 1024;
/** What upstream prints of a path without elements. */
const wholeObject = '[]';
const sizeOfBase64 = (text: string): number => Buffer.byteLength(text, 'base64');

export function validateConfigMap(map: DeepReadonly<ConfigMap>, errors: FieldErrors): void {
  let size = 0;
  for (const [key, text] of Object.entries(map.data ?? {})) {
    const at = keyPath('data', key);
    invalidEach(errors, at, key, isConfigMapKey(key));
    if (Object.hasOwn(map.binaryData ?? {}, key)) errors.invalid(at, key, 'duplicate of key present in binaryData');
    size += Buffer.byteLength(text);
  }
  for (const [key, bytes] of Object.entries(map.binaryData ?? {})) {
    invalidEach(errors, keyPath('binaryData', key), key, isConfigMapKey(key));
    size += sizeOfBase64(bytes);
  }
  if (size > maxBytes) errors.tooLong(wholeObject, maxBytes);
}

interface Immutable {
  readonly immutable?: boolean | undefined;
}

function validateFrozen<T extends Immutable>(object: T, old: T, fields: readonly (keyof T & string)[], errors: FieldErrors): void {
  if (old.immutable !== true) return;
  const detail = 'field is immutable when `immutable` is set';
  if (object.immutable !== true) errors.forbidden('immutable', detail);
  for (const field of fields) if (!deepEqual(object[field] ?? {}, old[field] ?? {})) errors.forbidden(field, detail);
}

export function validateConfigMapUpdate(map: DeepReadonly<ConfigMap>, old: DeepReadonly<ConfigMap>, errors: FieldErrors): void {
  validateFrozen(map, old, ['data', 'binaryData'], errors);
  validateConfigMap(map, errors);
}

const accountName = 'kubernetes.io/service-account.name';

/** What each type of Secret must hold. */
const requiredKeys = lookupTable<readonly string[]>({
  'kubernetes.io/dockercfg': ['.dockercfg'],
  'kubernetes.io/dockerconfigjson': ['.dockerconfigjson'],
  'kubernetes.io/tls': ['tls.crt', 'tls.key'],
});

/** Why the text is no JSON object; undefined when it is one. */
function jsonComplaint(base64: string): string | undefined {
  const text = Buffer.from(base64, 'base64').toString();
  try {
    const value: unknown = JSON.parse(text);
    if (value === null || (typeof value === 'object' && !Array.isArray(value))) return undefined;
    const kind = Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value;
    return `json: cannot unmarshal ${kind} into Go value of type map[string]interface {}`;
  } catch {
    return text.trim() === '' ? 'unexpected end of JSON input' : 'invalid character in JSON';
  }
}

export function validateSecret(secret: DeepReadonly<Secret>, errors: FieldErrors): void {
  const data = secret.data ?? {};
  let size = 0;
  for (const [key, bytes] of Object.entries(data)) {
    invalidEach(errors, keyPath('data', key), key, isConfigMapKey(key));
    size += sizeOfBase64(bytes);
  }
  if (size > maxBytes) errors.tooLong('data', maxBytes);
  const type = secret.type ?? '';
  const required = (key: string): void => errors.required(keyPath('data', key));
  for (const key of requiredKeys[type] ?? []) {
    const value = data[key];
    if (value === undefined) required(key);
    else if (key.startsWith('.')) {
      const complaint = jsonComplaint(value);
      if (complaint !== undefined) errors.invalid(keyPath('data', key), '<secret contents redacted>', complaint);
    }
  }
  switch (type) {
    case 'kubernetes.io/service-account-token':
      if (!secret.metadata?.annotations?.[accountName]) errors.required(keyPath('metadata.annotations', accountName));
      break;
    case 'kubernetes.io/basic-auth':
      if (data['username'] === undefined && data['password'] === undefined) for (const key of ['username', 'password']) required(key);
      break;
    case 'kubernetes.io/ssh-auth':
      if (!data['ssh-privatekey']) required('ssh-privatekey');
  }
}

export function validateSecretUpdate(secret: DeepReadonly<Secret>, old: DeepReadonly<Secret>, errors: FieldErrors): void {
  if ((secret.type ?? '') !== (old.type ?? '')) errors.invalid('type', secret.type ?? '', 'field is immutable');
  validateFrozen(secret, old, ['data'], errors);
  validateSecret(secret, errors);
}

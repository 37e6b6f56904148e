import { type FieldErrors, isCIdentifier, isDNS1123Subdomain } from '@skiff/apimachinery';
import { checkCSIDriverName } from '../../core/v1/volume-source-checks.ts';
import { invalidEach } from '../../validation.ts';

const max = { id: 32, pool: 253 };

/** Drivers are named as those of CSI. */
export const driverName = (errors: FieldErrors, path: string, name: string | undefined): void => checkCSIDriverName(name, path, errors);

export function poolName(errors: FieldErrors, path: string, name: string): void {
  if (name === '') return errors.required(path);
  if (name.length > max.pool) errors.tooLong(path, max.pool);
  for (const part of name.split('/')) invalidEach(errors, path, part, isDNS1123Subdomain(part));
}

function identifier(errors: FieldErrors, path: string, id: string): void {
  if (id.length > max.id) errors.tooLong(path, max.id);
  invalidEach(errors, path, id, isCIdentifier(id));
}

/** `name` or `domain/name`: attributes and capacities of devices. */
export function deviceQualifiedName(errors: FieldErrors, path: string, name: string): void {
  const [first = '', second, ...more] = name.split('/');
  if (second === undefined) return identifier(errors, path, first);
  if (more.length > 0) return;
  if (first === '') errors.invalid(path, '', 'the domain must not be empty');
  else driverName(errors, path, first);
  if (second === '') errors.invalid(path, '', 'the name must not be empty');
  else identifier(errors, path, second);
}

export function fullyQualifiedName(errors: FieldErrors, path: string, name: string): void {
  deviceQualifiedName(errors, path, name);
  if (!name.includes('/')) errors.invalid(path, name, 'a fully qualified name must be a domain and a name separated by a slash');
}

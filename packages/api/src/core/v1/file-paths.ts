import type { FieldErrors } from '@skiff/apimachinery';

/** Paths inside volumes: none may climb out of where it starts. */
export function noBacksteps(errors: FieldErrors, path: string, target: string): void {
  if (target.split('/').includes('..')) errors.invalid(path, target, "must not contain '..'");
}

export function localDescendingPath(errors: FieldErrors, path: string, target: string): void {
  if (target.startsWith('/')) errors.invalid(path, target, 'must be a relative path');
  noBacksteps(errors, path, target);
}

/** `..data` and the like are the kubelet's own names in atomically written volumes. */
export function localNonReservedPath(errors: FieldErrors, path: string, target: string): void {
  localDescendingPath(errors, path, target);
  if (target.startsWith('..') && !target.startsWith('../')) errors.invalid(path, target, "must not start with '..'");
}

export function fileMode(errors: FieldErrors, path: string, mode: number | undefined): void {
  if (mode !== undefined && (mode > 0o777 || mode < 0))
    errors.invalid(path, mode, 'must be a number between 0 and 0777 (octal), both inclusive');
}

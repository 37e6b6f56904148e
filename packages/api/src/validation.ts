/** Checks of single fields that many kinds share. All add to `errors` and go on. */
import {
  fieldImmutableError,
  type FieldErrors,
  isDNS1123Label,
  isDNS1123Subdomain,
  isNegativeError,
  isQualifiedName,
} from '@skiff/apimachinery';
import { deepEqual } from './semantic-equality.ts';

export const isNotPositiveError = 'must be greater than zero';

export function invalidEach(errors: FieldErrors, path: string, value: unknown, complaints: readonly string[]): void {
  for (const complaint of complaints) errors.invalid(path, value, complaint);
}

/** True when there is a text; else it is reported as required. */
export function requireText(errors: FieldErrors, path: string, text: string | undefined): text is string {
  if (text !== undefined && text !== '') return true;
  errors.required(path);
  return false;
}

/** An enum that must be set. `supported` is printed as it stands: sorted where upstream sorts. */
export function requireOneOf(errors: FieldErrors, path: string, value: string | undefined, supported: readonly string[]): void {
  if (value === undefined || value === '') errors.required(path);
  else if (!supported.includes(value)) errors.notSupported(path, value, supported);
}

/** An enum for which the empty value is as wrong as any other. */
export function supportedOnly(errors: FieldErrors, path: string, value: string | undefined, supported: readonly string[]): void {
  if (!supported.includes(value ?? '')) errors.notSupported(path, value ?? '', supported);
}

export function nonNegative(errors: FieldErrors, path: string, value: number | undefined): void {
  if ((value ?? 0) < 0) errors.invalid(path, value, isNegativeError);
}

export function positive(errors: FieldErrors, path: string, value: number | undefined): void {
  if ((value ?? 0) <= 0) errors.invalid(path, value ?? 0, isNotPositiveError);
}

export const dnsLabel = (errors: FieldErrors, path: string, value: string): void => invalidEach(errors, path, value, isDNS1123Label(value));
export const dnsSubdomain = (errors: FieldErrors, path: string, value: string): void =>
  invalidEach(errors, path, value, isDNS1123Subdomain(value));
export const qualifiedName = (errors: FieldErrors, path: string, value: string): void =>
  invalidEach(errors, path, value, isQualifiedName(value));

/** True if `run` added no errors. */
export function passes(errors: FieldErrors, run: () => void): boolean {
  const before = errors.list.length;
  run();
  return errors.list.length === before;
}

/** Errors whose details name a Go map: their path ends in the key in brackets. */
export const keyPath = (path: string, key: string): string => `${path}[${key}]`;

/** `shown`: what upstream prints of the new value, where that is not how JSON has it. */
export function immutable(errors: FieldErrors, path: string, value: unknown, old: unknown, shown: unknown = value): void {
  if (!deepEqual(value ?? null, old ?? null)) errors.invalid(path, shown, fieldImmutableError);
}

/** For what is wrong with a whole: the value is not printed. */
export const invalidWhole = (errors: FieldErrors, path: string, detail: string): void =>
  errors.add('FieldValueInvalid', path, `Invalid value: ${detail}`);

const httpPath = "[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+";
const httpPathRegex = new RegExp(`^${httpPath}$`);

/** `domain/path`, such as the name of a controller. */
export function domainPrefixedPath(errors: FieldErrors, path: string, value: string): void {
  if (value === '') return errors.required(path);
  const slash = value.indexOf('/');
  const [host, rest] = [value.slice(0, slash), value.slice(slash + 1)];
  if (slash <= 0 || rest === '') return errors.invalid(path, value, 'must be a domain-prefixed path (such as "acme.io/foo")');
  invalidEach(errors, path, host, isDNS1123Subdomain(host));
  if (!httpPathRegex.test(rest)) errors.invalid(path, rest, `Invalid path (regex used for validation is '${httpPath}')`);
}

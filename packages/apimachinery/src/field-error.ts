import { freeJsonText } from './json-text.ts';
import type { Json } from './object.ts';
import { StatusError } from './status-error.ts';

/** field.ErrorType → the text upstream prints for it and the reason it puts in the Status' causes. */
const fieldErrorTypes = {
  FieldValueNotFound: 'Not found',
  FieldValueRequired: 'Required value',
  FieldValueDuplicate: 'Duplicate value',
  FieldValueInvalid: 'Invalid value',
  FieldValueNotSupported: 'Unsupported value',
  FieldValueForbidden: 'Forbidden',
  FieldValueTooLong: 'Too long',
  FieldValueTooMany: 'Too many',
  InternalError: 'Internal error',
  FieldValueTypeInvalid: 'Invalid value',
} as const;
export type FieldErrorReason = keyof typeof fieldErrorTypes;

export interface FieldError {
  readonly reason: FieldErrorReason;
  readonly field: string;
  /** Without the field: `Invalid value: "x": must be …`. */
  readonly body: string;
}

const unicodeEscape = (c: string): string => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`;
/** Go's %v / %#v as field.Error prints bad values: strings quoted, objects as Go-style JSON. */
export function formatBadValue(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'object') return freeJsonText(value as Json).replace(/[<>&\u2028\u2029]/g, unicodeEscape);
  return String(value);
}

const after = (detail: string): string => (detail === '' ? '' : `: ${detail}`);

/**
 * Collects validation errors in the order in which they are found, with upstream's texts
 * (k8s.io/apimachinery/pkg/util/validation/field). Paths are strings such as `spec.containers[0].name`.
 */
export class FieldErrors {
  readonly list: FieldError[] = [];

  add(reason: FieldErrorReason, field: string, body: string): void {
    this.list.push({ reason, field, body });
  }
  required(field: string, detail = ''): void {
    this.add('FieldValueRequired', field, `Required value${after(detail)}`);
  }
  invalid(field: string, value: unknown, detail: string): void {
    this.add('FieldValueInvalid', field, `Invalid value: ${formatBadValue(value)}${after(detail)}`);
  }
  typeInvalid(field: string, value: unknown, detail: string): void {
    this.add('FieldValueTypeInvalid', field, `Invalid value: ${formatBadValue(value)}${after(detail)}`);
  }
  forbidden(field: string, detail: string): void {
    this.add('FieldValueForbidden', field, `Forbidden${after(detail)}`);
  }
  duplicate(field: string, value: unknown): void {
    this.add('FieldValueDuplicate', field, `Duplicate value: ${formatBadValue(value)}`);
  }
  notFound(field: string, value: unknown): void {
    this.add('FieldValueNotFound', field, `Not found: ${formatBadValue(value)}`);
  }
  /** `supported` is printed in the given order, each quoted: upstream sorts it beforehand where it does. */
  notSupported(field: string, value: unknown, supported: readonly string[]): void {
    const list = supported.length > 0 ? `: supported values: ${supported.map((s) => JSON.stringify(s)).join(', ')}` : '';
    this.add('FieldValueNotSupported', field, `Unsupported value: ${formatBadValue(value)}${list}`);
  }
  tooLong(field: string, maxLength: number): void {
    this.add('FieldValueTooLong', field, `Too long: may not be more than ${maxLength} bytes`);
  }
  tooMany(field: string, actual: number, max: number): void {
    this.add('FieldValueTooMany', field, `Too many: ${actual}: must have at most ${max} items`);
  }
  internal(field: string, detail: string): void {
    this.add('InternalError', field, `Internal error${after(detail)}`);
  }
  get empty(): boolean {
    return this.list.length === 0;
  }
}

export const formatFieldError = (e: FieldError): string => `${e.field}: ${e.body}`;

/** The 422 that upstream's errors.NewInvalid makes: one error plain, several in brackets, all as causes. */
export function invalid(subject: { group: string; kind: string }, name: string, errors: readonly FieldError[]): StatusError {
  const seen = new Set<string>();
  const texts: string[] = [];
  for (const e of errors) {
    const text = formatFieldError(e);
    if (!seen.has(text)) {
      seen.add(text);
      texts.push(text);
    }
  }
  const joined = texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`;
  const kind = subject.group === '' ? subject.kind : `${subject.kind}.${subject.group}`;
  return new StatusError('Invalid', `${kind} "${name}" is invalid: ${joined}`, {
    details: {
      ...(name === '' ? {} : { name }),
      ...(subject.group === '' ? {} : { group: subject.group }),
      ...(subject.kind === '' ? {} : { kind: subject.kind }),
      causes: errors.map((e) => ({ reason: e.reason, message: e.body, field: e.field })),
    },
  });
}

import { RE2JS } from 're2js';
import type { FieldErrors } from '../field-error.ts';
import { jsonEqual } from '../json-patch.ts';
import { jsonText } from '../json-text.ts';
import type { Json, JsonObject } from '../object.ts';
import { stringFormatOf } from './formats.ts';
import { propertyOf, type StructuralSchema } from './schema.ts';

/** One complaint of the schema; `path` undefined: upstream reports it without a place. */
interface Complaint {
  readonly path: string | undefined;
  readonly report: (errors: FieldErrors, field: string) => void;
}
/** `matches` counts what was checked: of the branches of an anyOf or oneOf, the one that got furthest is reported. */
class Result {
  readonly complaints: Complaint[] = [];
  matches = 0;

  merge(other: Result | undefined): void {
    if (other !== undefined) {
      this.complaints.push(...other.complaints);
      this.matches += other.matches;
    }
    this.matches++;
  }
  add(path: string | undefined, report: Complaint['report']): void {
    this.complaints.push({ path, report });
  }
  invalid(path: string, value: unknown, text: string): void {
    this.add(path, (errors, field) => errors.invalid(field, value, `${path} in body ${text}`));
  }
  /** Without a place: what combines schemas. */
  general(text: string): void {
    this.add(undefined, (errors) => errors.invalid('<nil>', '', text));
  }
  get valid(): boolean {
    return this.complaints.length === 0;
  }
}

type JsonType = 'null' | 'boolean' | 'string' | 'integer' | 'number' | 'array' | 'object';
const isObject = (value: Json | undefined): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);

function typeOf(value: Json): JsonType {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  switch (typeof value) {
    case 'boolean':
    case 'string':
    case 'object':
      return typeof value as 'boolean' | 'string' | 'object';
    case 'bigint':
      return 'integer';
    default:
      return Number.isInteger(value) ? 'integer' : 'number';
  }
}

const typesOf = (s: StructuralSchema): readonly string[] =>
  s['x-kubernetes-int-or-string'] === true ? ['integer', 'string'] : s.type === undefined || s.type === '' ? [] : [s.type];

/** The schema's format where upstream knows it for the type. */
function effectiveFormat(s: StructuralSchema): string | undefined {
  if (s.type === 'integer') return s.format === 'int32' || s.format === 'int64' ? s.format : undefined;
  if (s.type === 'number') return s.format === 'float' || s.format === 'double' ? s.format : undefined;
  return stringFormatOf(s) === undefined ? undefined : s.format;
}

function checkType(s: StructuralSchema, value: Json, path: string, out: Result): void {
  const types = typesOf(s);
  if (types.length === 0) return;
  const is = typeOf(value);
  if (is === 'null' ? s.nullable === true : types.includes(is) || (is === 'integer' && types.includes('number'))) return;
  // Upstream names the format, where there is one, of what is no string or list.
  if (effectiveFormat(s) !== undefined && is !== 'string' && is !== 'array' && is !== 'null') {
    const found = is === 'integer' ? 'int64' : is === 'number' ? 'float64' : '';
    return out.add(path, (errors, field) =>
      errors.typeInvalid(field, found, `${path} in body must be of type ${s.format}: ${JSON.stringify(found)}`),
    );
  }
  // A string with a format that is checked is left to the format.
  if (is === 'string' && stringFormatOf(s) !== undefined && !types.includes('integer') && !types.includes('number')) return;
  out.add(path, (errors, field) =>
    errors.typeInvalid(field, is, `${path} in body must be of type ${types.join(',')}: ${JSON.stringify(is)}`),
  );
}

const patterns = new Map<string, RE2JS | string>();
function compilePattern(pattern: string): RE2JS | string {
  let compiled = patterns.get(pattern);
  if (compiled === undefined) {
    try {
      compiled = RE2JS.compile(pattern);
    } catch (e) {
      compiled = (e as Error).message;
    }
    if (patterns.size > 1000) patterns.clear();
    patterns.set(pattern, compiled);
  }
  return compiled;
}

/** Why a text is no regular expression (RE2 syntax); undefined when it is one. */
export function patternError(pattern: string): string | undefined {
  const compiled = compilePattern(pattern);
  return typeof compiled === 'string' ? compiled : undefined;
}

/** The first complaint only, as upstream's. */
function checkString(s: StructuralSchema, value: string, path: string, out: Result): void {
  const length = s.maxLength === undefined && s.minLength === undefined ? 0 : [...value.matchAll(/./gsu)].length;
  if (s.maxLength !== undefined && length > s.maxLength) {
    const { maxLength } = s;
    return out.add(path, (errors, field) => errors.tooLong(field, maxLength));
  }
  if (s.minLength !== undefined && length < s.minLength) return out.invalid(path, value, `should be at least ${s.minLength} chars long`);
  if (!s.pattern) return;
  const pattern = compilePattern(s.pattern);
  if (typeof pattern === 'string') out.invalid(path, value, `should match '${s.pattern}, but pattern is invalid: ${pattern}'`);
  else if (!pattern.matcher(value).find()) out.invalid(path, value, `should match '${s.pattern}'`);
}

function checkFormat(s: StructuralSchema, value: string, path: string, out: Result): void {
  const check = stringFormatOf(s);
  if (check === undefined || check(value)) return;
  out.add(path, (errors, field) =>
    errors.typeInvalid(field, value, `${path} in body must be of type ${s.format}: ${JSON.stringify(value)}`),
  );
}

function checkNumber(s: StructuralSchema, given: number | bigint, path: string, out: Result): void {
  const value = Number(given);
  const isInteger = typeof given === 'bigint' || Number.isInteger(value);
  const limit = s.format === 'int32' ? 2 ** 31 : 2 ** 63;
  if (s.type === 'integer' && (!isInteger || value >= limit || value < -limit)) {
    const format = s.format === 'int32' || s.format === 'int64' ? `with format ${s.format}` : '(default format)';
    out.general(`Checked value must be of type integer ${format} in ${path}`);
  }
  // Integers are compared with integers: upstream cuts off what the bound has behind its point.
  const bound = (b: number): number => (isInteger ? Math.trunc(b) : b);
  if (s.multipleOf !== undefined) checkMultiple(bound(s.multipleOf), given, path, out);
  const [maximum, minimum] = [s.maximum, s.minimum].map((b) => (b === undefined ? undefined : bound(b)));
  if (maximum !== undefined && (s.exclusiveMaximum === true ? value >= maximum : value > maximum)) {
    out.invalid(path, given, `should be less than ${s.exclusiveMaximum === true ? '' : 'or equal to '}${maximum}`);
  }
  if (minimum !== undefined && (s.exclusiveMinimum === true ? value <= minimum : value < minimum)) {
    out.invalid(path, given, `should be greater than ${s.exclusiveMinimum === true ? '' : 'or equal to '}${minimum}`);
  }
}

function checkMultiple(factor: number, given: number | bigint, path: string, out: Result): void {
  if (factor <= 0) {
    return out.add(path, (errors, field) =>
      errors.invalid(field, factor, `factor MultipleOf declared for ${path} must be positive: ${factor}`),
    );
  }
  const quotient = factor < 1 ? (1 / factor) * Number(given) : Number(given) / factor;
  if (Math.abs(quotient - Math.round(quotient)) > 1e-9) out.invalid(path, given, `should be a multiple of ${factor}`);
}

function checkEnum(s: StructuralSchema, value: Json, path: string, out: Result): void {
  if (s.enum === undefined || s.enum.length === 0) return;
  if (s.enum.some((allowed) => jsonEqual(allowed, value))) return;
  const allowed = s.enum.map((v) => (typeof v === 'string' ? v : jsonText(v, true)));
  out.add(path, (errors, field) => errors.notSupported(field, value, allowed));
}

/** What stood here before; a value that did not change is not judged again (KEP-4008). Undefined: nothing comparable stood here. */
type Old = Json | undefined;

function oldItem(s: StructuralSchema, old: Old, item: Json): Old {
  const keys = s['x-kubernetes-list-type'] === 'map' ? s['x-kubernetes-list-map-keys'] : undefined;
  if (keys === undefined || !Array.isArray(old) || !isObject(item)) return undefined;
  return old.find((o) => isObject(o) && keys.every((k) => jsonEqual(o[k] ?? keyDefault(s, k), item[k] ?? keyDefault(s, k))));
}
const keyDefault = (s: StructuralSchema, key: string): Json | undefined => propertyOf(s.items, key)?.default;

function checkArray(s: StructuralSchema, value: readonly Json[], path: string, old: Old, out: Result): void {
  if (s.items !== undefined)
    for (let i = 0; i < value.length; i++) out.merge(check(s.items, value[i]!, `${path}[${i}]`, oldItem(s, old, value[i]!)));
  const { minItems, maxItems } = s;
  if (minItems !== undefined && value.length < minItems) out.invalid(path, value.length, `should have at least ${minItems} items`);
  if (maxItems !== undefined && value.length > maxItems) out.add(path, (errors, field) => errors.tooMany(field, value.length, maxItems));
  if (s.uniqueItems === true && value.some((v, i) => value.slice(0, i).some((u) => jsonEqual(u, v))))
    out.invalid(path, '', "shouldn't contain duplicates");
}

function checkObject(s: StructuralSchema, value: JsonObject, path: string, old: Old, out: Result): void {
  const keys = Object.keys(value);
  const { minProperties, maxProperties } = s;
  if (minProperties !== undefined && keys.length < minProperties)
    out.invalid(path, keys.length, `should have at least ${minProperties} properties`);
  if (maxProperties !== undefined && keys.length > maxProperties)
    out.add(path, (errors, field) => errors.tooMany(field, keys.length, maxProperties));
  const before = (key: string): Old => (isObject(old) && Object.hasOwn(old, key) ? old[key] : undefined);
  const more = s.additionalProperties;
  for (const key of keys.sort()) {
    const property = propertyOf(s, key);
    const place = path === '' && property !== undefined ? key : `${path}.${key}`;
    if (property !== undefined) out.merge(check(property, value[key]!, place, before(key)));
    else if (typeof more === 'object') out.merge(check(more, value[key]!, place, before(key)));
    else if (more === false) out.add(path, (errors, field) => errors.invalid(field, key, `${path}.${key} in body is a forbidden property`));
  }
  for (const key of s.required ?? []) {
    if (!Object.hasOwn(value, key)) out.add(`${path}.${key}`, (errors, field) => errors.required(field));
  }
}

function furthest(results: readonly Result[]): Result | undefined {
  return results.reduce<Result | undefined>((best, r) => (best === undefined || r.matches > best.matches ? r : best), undefined);
}

function checkCombined(s: StructuralSchema, value: Json, path: string, old: Old, out: Result): void {
  const name = JSON.stringify(path);
  if (s.anyOf !== undefined && s.anyOf.length > 0) {
    const results = s.anyOf.map((b) => check(b, value, path, old));
    const good = results.find((r) => r.valid);
    if (good === undefined) out.general(`${name} must validate at least one schema (anyOf)`);
    out.merge(good ?? furthest(results));
  }
  if (s.oneOf !== undefined && s.oneOf.length > 0) {
    const results = s.oneOf.map((b) => check(b, value, path, old));
    const good = results.filter((r) => r.valid);
    if (good.length === 1) out.merge(good[0]);
    else {
      out.general(
        `${name} must validate one and only one schema (oneOf). ${good.length === 0 ? 'Found none valid' : `Found ${good.length} valid alternatives`}`,
      );
      if (good.length === 0) out.merge(furthest(results));
    }
  }
  if (s.allOf !== undefined && s.allOf.length > 0) {
    const results = s.allOf.map((b) => check(b, value, path, old));
    for (const r of results) out.merge(r);
    const good = results.filter((r) => r.valid).length;
    if (good < results.length) out.general(`${name} must validate all the schemas (allOf)${good === 0 ? '. None validated' : ''}`);
  }
  if (s.not !== undefined && check(s.not, value, path, undefined).valid) out.general(`${name} must not validate the schema (not)`);
}

function check(s: StructuralSchema, value: Json, path: string, old: Old): Result {
  const out = new Result();
  if (old !== undefined && jsonEqual(old, value)) return out;
  checkType(s, value, path, out);
  if (value !== null) {
    checkCombined(s, value, path, old, out);
    if (typeof value === 'string') {
      checkString(s, value, path, out);
      checkFormat(s, value, path, out);
    } else if (typeof value === 'number' || typeof value === 'bigint') checkNumber(s, value, path, out);
    else if (Array.isArray(value)) checkArray(s, value, path, old, out);
  }
  checkEnum(s, value, path, out);
  if (isObject(value)) checkObject(s, value, path, old, out);
  out.matches++;
  return out;
}

/**
 * Checks a custom object (or, below `field`, its status) against its schema, in the apiserver's words. With `old`, what did not
 * change is not judged again.
 */
export function validateAgainstSchema(
  s: StructuralSchema,
  value: Json,
  errors: FieldErrors,
  o: { readonly field?: string; readonly old?: Json | undefined } = {},
): void {
  const prefix = o.field ?? '';
  for (const { path, report } of check(s, value, '', o.old).complaints) {
    const local = path?.replace(/^\./, '') ?? '';
    report(errors, prefix === '' ? local : local === '' ? prefix : `${prefix}.${local}`);
  }
}

import type { FieldSchema, TypeSchema } from '@skiff/apimachinery';
import { builtinSchemas } from './generated/index.ts';

/**
 * Equality as Go's `equality.Semantic` has it: an absent non-pointer field equals its zero value, an absent list or map equals an
 * empty one; only pointers tell absent from zero. Object keys may come in any order. Quantities are compared in their canonical
 * spelling, which decoding has given them.
 */
export function semanticEqual(structName: string, a: unknown, b: unknown): boolean {
  return a === b || structsEqual(structName, asObject(a), asObject(b));
}

type PlainObject = Readonly<Record<string, unknown>>;
const emptyObject: PlainObject = {};
const asObject = (value: unknown): PlainObject => (typeof value === 'object' && value !== null ? (value as PlainObject) : emptyObject);

function structsEqual(name: string, a: PlainObject, b: PlainObject): boolean {
  if (a === b) return true;
  const struct = builtinSchemas.struct(name);
  if (struct === undefined) return deepEqual(a, b);
  return struct.fields.every((field) => fieldsEqual(field, a[field.name], b[field.name]));
}

function fieldsEqual(field: FieldSchema, a: unknown, b: unknown): boolean {
  if (a === b) return true;
  const absentA = a === undefined || a === null;
  const absentB = b === undefined || b === null;
  if (field.pointer && absentA !== absentB) return false;
  return (absentA && absentB) || valuesEqual(field.type, a, b);
}

function valuesEqual(type: TypeSchema, a: unknown, b: unknown): boolean {
  switch (type.kind) {
    case 'struct':
      return structsEqual(type.name, asObject(a), asObject(b));
    case 'list': {
      const [x, y] = [asList(a), asList(b)];
      return x.length === y.length && x.every((item, i) => valuesEqual(type.items, item, y[i]));
    }
    case 'map': {
      const [x, y] = [asObject(a), asObject(b)];
      const keys = Object.keys(x);
      return keys.length === Object.keys(y).length && keys.every((k) => Object.hasOwn(y, k) && valuesEqual(type.values, x[k], y[k]));
    }
    case 'schemaOr':
      return deepEqual(a ?? null, b ?? null);
    case 'scalar':
      return scalarsEqual(type.scalar, a, b);
  }
}

const asList = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

const zeroOf: Readonly<Partial<Record<string, unknown>>> = {
  string: '',
  bytes: '',
  boolean: false,
  int32: 0,
  int64: 0,
  float64: 0,
  quantity: '0',
};

function scalarsEqual(scalar: string, a: unknown, b: unknown): boolean {
  if (scalar === 'intOrString') return (a ?? 0) === (b ?? 0);
  const zero = zeroOf[scalar];
  if (zero === undefined) return deepEqual(a ?? null, b ?? null);
  return (a ?? zero) === (b ?? zero);
}

/** Equality of free JSON: no schema, so absent and empty differ. */
export function deepEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((item, i) => deepEqual(item, b[i]));
  }
  const [x, y] = [a as PlainObject, b as PlainObject];
  const keys = Object.keys(x).filter((k) => x[k] !== undefined);
  return keys.length === Object.keys(y).filter((k) => y[k] !== undefined).length && keys.every((k) => deepEqual(x[k], y[k]));
}

/** Labels, annotations and the like: absent equals empty. */
export const sameStringMap = (a: Readonly<Record<string, string>> | undefined, b: Readonly<Record<string, string>> | undefined): boolean =>
  deepEqual(a ?? {}, b ?? {});

/** The types that CRD schemas give to `self`, with the sizes that their limits allow. */

import type { StructuralSchema } from '@skiff/apimachinery';
import type { EstimateSize } from '../cost-estimate.ts';
import { boolType, type CelType, doubleType, fieldOf, type FieldType, intType, listOf, mapOf, stringType } from '../types.ts';
import { escapeProperty } from './escape.ts';

/** What a request can carry, in bytes. */
const maxRequestSize = 3 * 1024 * 1024;

export interface SchemaType {
  readonly type: CelType;
  /** The fewest bytes that such a value takes in JSON: how often it can occur in a request. */
  readonly minSize: number;
}

const scalar = (type: CelType, minSize: number, maxLength = 0): SchemaType => ({ type: { ...type, maxLength } as CelType, minSize });
const atLeastZero = (n: number): number => Math.max(0, n);
const anyText = maxRequestSize - 2;

function stringSchema(s: StructuralSchema): SchemaType {
  if (s.format === 'byte') return scalar({ kind: 'bytes' }, 2, s.maxLength === undefined ? anyText : atLeastZero(s.maxLength));
  if (s.format === 'duration') return scalar({ kind: 'duration' }, 3, 32);
  if (s.format === 'date') return scalar({ kind: 'timestamp' }, 12, 12);
  if (s.format === 'date-time') return scalar({ kind: 'timestamp' }, 21, 32);
  if (s.maxLength !== undefined) return scalar(stringType, 2, atLeastZero(s.maxLength) * 4);
  const texts = (s.enum ?? []).filter((v) => typeof v === 'string');
  if (s.enum !== undefined && s.enum.length > 0) return scalar(stringType, 2, Math.max(0, ...texts.map((t) => Buffer.byteLength(t))));
  return scalar(stringType, 2, anyText);
}

/** kind, apiVersion and names are always there at the root of a resource. */
export function withTypeAndObjectMeta(s: StructuralSchema): StructuralSchema {
  const name: StructuralSchema = { type: 'string' };
  const metadata: StructuralSchema = { type: 'object', properties: { name, generateName: name } };
  return { ...s, properties: { ...s.properties, kind: name, apiVersion: name, metadata } };
}

const schemaOf = (s: StructuralSchema): StructuralSchema | undefined =>
  typeof s.additionalProperties === 'object' ? s.additionalProperties : undefined;
const isRoot = (s: StructuralSchema): boolean => s['x-kubernetes-embedded-resource'] === true;

/**
 * The type of what a schema describes; `name` is what its objects' types begin with. Undefined: expressions can't see it
 * (x-kubernetes-preserve-unknown-fields without a type).
 */
export function schemaType(schema: StructuralSchema, resourceRoot: boolean, name: string): SchemaType | undefined {
  if (schema['x-kubernetes-int-or-string'] === true) {
    return scalar({ kind: 'dyn' }, 1, schema.maxLength === undefined ? anyText : atLeastZero(schema.maxLength) * 4);
  }
  const s = resourceRoot ? withTypeAndObjectMeta(schema) : schema;
  switch (s.type) {
    case 'array': {
      const items = s.items === undefined ? undefined : schemaType(s.items, isRoot(s.items), `${name}.@idx`);
      if (items === undefined) return undefined;
      const maxLength = s.maxItems === undefined ? Math.trunc((maxRequestSize - 2) / (items.minSize + 1)) : atLeastZero(s.maxItems);
      const listType = s['x-kubernetes-list-type'] === 'atomic' ? undefined : s['x-kubernetes-list-type'];
      return { type: { ...listOf(items.type), maxLength, listType, mapKeys: s['x-kubernetes-list-map-keys'] }, minSize: 2 };
    }
    case 'object':
      return objectSchema(s, name);
    case 'string':
      return stringSchema(s);
    case 'boolean':
      return scalar(boolType, 4);
    case 'number':
      return scalar(doubleType, 1);
    case 'integer':
      return scalar(intType, 1);
    default:
      return undefined;
  }
}

function objectSchema(s: StructuralSchema, name: string): SchemaType | undefined {
  const values = schemaOf(s);
  if (values !== undefined) {
    const value = schemaType(values, isRoot(values), `${name}.@elem`);
    if (value === undefined) return undefined;
    const maxLength = s.maxProperties === undefined ? Math.trunc((maxRequestSize - 2) / (value.minSize + 6)) : atLeastZero(s.maxProperties);
    return { type: { ...mapOf({ kind: 'string', maxLength: 0 }, value.type), maxLength }, minSize: 2 };
  }
  const fields = new Map<string, FieldType>();
  let minSize = 2;
  for (const [property, p] of Object.entries(s.properties ?? {})) {
    const escaped = escapeProperty(property);
    const field = schemaType(p, isRoot(p), `${name}.${escaped ?? property}`);
    if (field === undefined) continue;
    if (escaped !== undefined) fields.set(escaped, { type: field.type, ...(escaped === property ? {} : { property }) });
    if (s.required?.includes(property) === true && p.default === undefined) minSize += Buffer.byteLength(property) + field.minSize + 4;
  }
  return { type: { kind: 'object', name, fields, nullIsAbsent: true, maxLength: 0 }, minSize };
}

/** Sizes of what is reached from a variable of this type. */
export const sizesOf =
  (root: CelType): EstimateSize =>
  (path) => {
    if (path.length === 0) return undefined;
    let t: CelType | undefined = root;
    for (const name of path.slice(1)) {
      t = step(t, name);
      if (t === undefined) return undefined;
    }
    const max = 'maxLength' in t ? (t.maxLength ?? 0) : 0;
    return { min: 0n, max: BigInt(max) };
  };

function step(t: CelType, name: string): CelType | undefined {
  if (name === '@items' || name === '@values') return t.kind === 'list' ? t.element : t.kind === 'map' ? t.value : undefined;
  if (name === '@keys') return t.kind === 'map' ? t.key : undefined;
  return t.kind === 'object' ? fieldOf(t, name)?.type : undefined;
}

/** No expression shall rely on the name of its own type: it is another one each time. */
export const selfTypeName = (): string => `selfType${Math.floor(Math.random() * 1e9)}`;

/** How often values of this size fit into a request. */
export const maxCardinality = (minSize: number): bigint => BigInt(Math.trunc(maxRequestSize / (minSize + 1)));

export const hasRules = (s: StructuralSchema | undefined): boolean => {
  if (s === undefined) return false;
  if ((s['x-kubernetes-validations'] ?? []).length > 0) return true;
  const below = [s.items, schemaOf(s), ...Object.values(s.properties ?? {}), ...(s.allOf ?? [])];
  return below.some(hasRules);
};
export { schemaOf as additionalOf };

import { escapeProperty } from '../schema/escape.ts';
import {
  boolType,
  bytesType,
  type CelType,
  doubleType,
  durationType,
  dynType,
  type FieldType,
  intType,
  listOf,
  mapOf,
  type ObjectType,
  stringType,
  timestampType,
} from '../types.ts';

/** A schema of an OpenAPI v3 document, as far as types are read from it. */
export interface OpenApiSchema {
  readonly $ref?: string;
  readonly allOf?: readonly OpenApiSchema[];
  readonly type?: string;
  readonly format?: string;
  readonly items?: OpenApiSchema;
  readonly properties?: Readonly<Record<string, OpenApiSchema>>;
  readonly additionalProperties?: OpenApiSchema | boolean;
  readonly 'x-kubernetes-int-or-string'?: boolean;
}
export type OpenApiSchemas = Readonly<Record<string, OpenApiSchema>>;

/** Nested deeper, a schema refers to itself: nobody writes such expressions. */
const maxDepth = 32;

const texts: Readonly<Record<string, CelType>> = {
  byte: bytesType,
  duration: durationType,
  date: timestampType,
  'date-time': timestampType,
};

function resolve(schema: OpenApiSchema, all: OpenApiSchemas): OpenApiSchema | undefined {
  const target = schema.$ref ?? (schema.allOf?.length === 1 ? schema.allOf[0]?.$ref : undefined);
  return target === undefined ? schema : all[target.slice(target.lastIndexOf('/') + 1)];
}

/** The type of what a schema describes; `name` is what its objects' types begin with. Undefined: expressions can't see it. */
export function openApiType(schema: OpenApiSchema, all: OpenApiSchemas, name: string, depth = 0): CelType | undefined {
  const s = resolve(schema, all);
  if (s === undefined || depth > maxDepth) return undefined;
  if (s['x-kubernetes-int-or-string'] === true || s.format === 'int-or-string') return dynType;
  switch (s.type) {
    case 'array': {
      const element = s.items && openApiType(s.items, all, `${name}.@idx`, depth + 1);
      return element && listOf(element);
    }
    case 'object':
      return objectOf(s, all, name, depth);
    case 'string':
      return texts[s.format ?? ''] ?? stringType;
    case 'boolean':
      return boolType;
    case 'number':
      return doubleType;
    case 'integer':
      return intType;
    default:
      return undefined;
  }
}

function objectOf(s: OpenApiSchema, all: OpenApiSchemas, name: string, depth: number): CelType | undefined {
  if (typeof s.additionalProperties === 'object') {
    const value = openApiType(s.additionalProperties, all, `${name}.@elem`, depth + 1);
    return value && mapOf(stringType, value);
  }
  const fields = new Map<string, FieldType>();
  for (const [property, p] of Object.entries(s.properties ?? {})) {
    const escaped = escapeProperty(property);
    const type = escaped === undefined ? undefined : openApiType(p, all, `${name}.${escaped}`, depth + 1);
    if (escaped !== undefined && type !== undefined) fields.set(escaped, { type, ...(escaped === property ? {} : { property }) });
  }
  const type: ObjectType = { kind: 'object', name, fields };
  return type;
}

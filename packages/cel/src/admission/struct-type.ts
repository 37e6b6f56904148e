import type { FieldSchema, SchemaRegistry, TypeSchema } from '@skiff/apimachinery';
import { escapeProperty } from '../schema/escape.ts';
import {
  boolType,
  bytesType,
  type CelType,
  doubleType,
  dynType,
  type FieldType,
  intType,
  listOf,
  mapOf,
  type ObjectType,
  objectType,
  stringType,
  timestampType,
} from '../types.ts';

/** The types of scalars as their OpenAPI schemas tell them; what these say no type of (quantities, free JSON) can't be seen. */
const scalars: Readonly<Record<string, CelType | undefined>> = {
  string: stringType,
  boolean: boolType,
  int32: intType,
  int64: intType,
  float64: doubleType,
  bytes: bytesType,
  time: timestampType,
  microTime: timestampType,
  duration: stringType,
  intOrString: dynType,
};

function typeOf(registry: SchemaRegistry, schema: TypeSchema, name: string): CelType | undefined {
  switch (schema.kind) {
    case 'scalar':
      return schema.scalar === 'raw' || schema.scalar === 'fieldsV1' ? objectType(name) : scalars[schema.scalar];
    case 'struct':
      return structType(registry, schema.name, name);
    case 'schemaOr':
      return undefined;
    case 'list': {
      const element = typeOf(registry, schema.items, `${name}.@idx`);
      return element && listOf(element);
    }
    case 'map': {
      const value = typeOf(registry, schema.values, `${name}.@elem`);
      return value && mapOf(stringType, value);
    }
  }
}

/** Fields of a struct, made when first asked for: structs may contain themselves. */
class StructFields extends Map<string, FieldType> {
  readonly #registry: SchemaRegistry;
  readonly #path: string;
  readonly #schemas: ReadonlyMap<string, FieldSchema>;
  constructor(registry: SchemaRegistry, fields: readonly FieldSchema[], path: string) {
    super();
    this.#registry = registry;
    this.#path = path;
    this.#schemas = new Map(fields.map((field) => [escapeProperty(field.name) ?? '', field]));
  }
  override get(name: string): FieldType | undefined {
    const schema = this.#schemas.get(name);
    const known = super.get(name);
    if (known !== undefined || schema === undefined) return known;
    const type = typeOf(this.#registry, schema.type, `${this.#path}.${name}`);
    if (type === undefined) return undefined;
    const field: FieldType = { type, ...(schema.name === name ? {} : { property: schema.name }) };
    super.set(name, field);
    return field;
  }
  override has(name: string): boolean {
    return this.get(name) !== undefined;
  }
}

/** The type of a built-in struct; `name` is what its objects' types begin with. */
export const structType = (registry: SchemaRegistry, structName: string, name: string): ObjectType => ({
  kind: 'object',
  name,
  fields: new StructFields(registry, registry.struct(structName)?.fields ?? [], name),
});

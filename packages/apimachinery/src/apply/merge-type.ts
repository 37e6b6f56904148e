import type { Json, JsonObject } from '../object.ts';
import { scalarCodecs } from '../scalars.ts';
import type { FieldSchema, SchemaRegistry, StructSchema, TypeSchema } from '../schema.ts';

/**
 * What structured merge needs to know of a type. `untyped` is free JSON: scalars and lists are atomic, maps merge by key.
 */
export type MergeType =
  | { readonly kind: 'scalar'; readonly scalar: 'string' | 'numeric' | 'boolean' | 'any' }
  | MergeMap
  | MergeList
  | { readonly kind: 'untyped' };

export interface MergeMap {
  readonly kind: 'map';
  readonly atomic: boolean;
  /** Named fields; empty for maps with free keys. */
  readonly fields: ReadonlyMap<string, MergeField>;
  /** The type of other keys; undefined: there are none. */
  readonly element: MergeType | undefined;
  /** Fields that Go always writes, and so are there even when an object in memory lacks them. */
  readonly always: readonly MergeField[];
  /** A Go map: empty and null are the same. */
  readonly nullIsEmpty?: boolean;
}

export interface MergeField {
  readonly name: string;
  readonly type: MergeType;
  /** Values that Go would leave out count as absent. */
  readonly omits: (value: Json) => boolean;
  readonly zero: Json;
}

export interface MergeList {
  readonly kind: 'list';
  readonly relation: 'atomic' | 'set' | 'map';
  /** Sorted. */
  readonly keys: readonly string[];
  /** What stands for a key field that an element lacks. */
  readonly keyDefaults: ReadonlyMap<string, Json>;
  readonly element: MergeType;
}

export const untyped: MergeType = { kind: 'untyped' };
/** A RawExtension has one owner. */
const opaque: MergeMap = { kind: 'map', atomic: true, fields: new Map(), element: untyped, always: [] };

const never = (): boolean => false;
const isEmpty = (value: Json): boolean => {
  if (value === null) return true;
  if (Array.isArray(value)) return value.length === 0;
  if (typeof value !== 'object') return false;
  for (const _ in value) return false;
  return true;
};

const scalarKinds: Partial<Record<string, 'string' | 'numeric' | 'boolean' | 'any'>> = {
  string: 'string',
  bytes: 'string',
  time: 'string',
  microTime: 'string',
  duration: 'string',
  boolean: 'boolean',
  int32: 'numeric',
  int64: 'numeric',
  float64: 'numeric',
  quantity: 'any',
  intOrString: 'any',
};

/** Built-in types, by struct name; each is made when first asked for, its fields when first needed (types may be recursive). */
export function createMergeTypes(registry: SchemaRegistry): (structName: string) => MergeMap {
  const made = new Map<string, MergeMap>();

  function struct(name: string, atomicHere?: boolean): MergeMap {
    const schema = registry.struct(name);
    if (schema === undefined) throw new Error(`unknown struct ${name}`);
    const atomic = atomicHere ?? schema.structType === 'atomic';
    const key = `${name} ${atomic}`;
    let type = made.get(key);
    if (type === undefined) {
      type = new StructType(schema, atomic, convert, struct);
      made.set(key, type);
    }
    return type;
  }

  function convert(type: TypeSchema, field?: FieldSchema): MergeType {
    switch (type.kind) {
      case 'scalar': {
        if (type.scalar === 'raw') return opaque;
        const scalar = scalarKinds[type.scalar];
        return scalar === undefined ? untyped : { kind: 'scalar', scalar };
      }
      case 'struct':
        return struct(type.name, field?.structType === undefined ? undefined : field.structType === 'atomic');
      case 'schemaOr':
        return untyped;
      case 'map':
        return {
          kind: 'map',
          atomic: type.mapType === 'atomic',
          fields: new Map(),
          element: convert(type.values),
          always: [],
          nullIsEmpty: true,
        };
      case 'list': {
        const relation = type.listType ?? 'atomic';
        return {
          kind: 'list',
          relation,
          keys: [...(type.mapKeys ?? [])].sort(),
          keyDefaults: keyDefaults(type),
          element: convert(type.items),
        };
      }
    }
  }

  function keyDefaults(type: TypeSchema & { kind: 'list' }): Map<string, Json> {
    const defaults = new Map<string, Json>();
    const element = type.items.kind === 'struct' ? registry.struct(type.items.name) : undefined;
    if (element === undefined) return defaults;
    for (const key of type.mapKeys ?? []) {
      const field = registry.field(element, key);
      if (field === undefined) continue;
      if (field.default !== undefined) defaults.set(key, field.default as Json);
      else if (field.required && !field.pointer && field.type.kind === 'scalar') defaults.set(key, scalarCodecs[field.type.scalar].zero);
    }
    return defaults;
  }

  return (name) => struct(name);
}

class StructType implements MergeMap {
  readonly kind = 'map';
  readonly element = undefined;
  readonly atomic: boolean;
  readonly #schema: StructSchema;
  readonly #convert: (type: TypeSchema, field: FieldSchema) => MergeType;
  readonly #struct: (name: string) => MergeMap;
  #fields: Map<string, MergeField> | undefined;
  #always: MergeField[] | undefined;

  constructor(
    schema: StructSchema,
    atomic: boolean,
    convert: (type: TypeSchema, field: FieldSchema) => MergeType,
    struct: (name: string) => MergeMap,
  ) {
    this.#schema = schema;
    this.atomic = atomic;
    this.#convert = convert;
    this.#struct = struct;
  }
  get fields(): Map<string, MergeField> {
    this.#fields ??= new Map(this.#schema.fields.map((f) => [f.name, this.#field(f)]));
    return this.#fields;
  }
  get always(): MergeField[] {
    this.#always ??= [...this.fields.values()].filter((f) => f.omits === never);
    return this.#always;
  }

  #field(field: FieldSchema): MergeField {
    const { name, type, omit, pointer } = field;
    const mergeType = this.#convert(type, field);
    const make = (omits: MergeField['omits'], zero: Json): MergeField => ({ name, type: mergeType, omits, zero });
    if (pointer) return make(omit === 'never' ? never : (v) => v === null, null);
    switch (type.kind) {
      case 'struct':
        return omit === 'zero' ? make(isEmpty, null) : make(never, this.#zeroStruct(type.name));
      case 'list':
      case 'map':
        return make(omit === 'never' ? never : isEmpty, null);
      case 'schemaOr':
        return make((v) => v === null, null);
      case 'scalar': {
        const { zero, structural } = scalarCodecs[type.scalar];
        if (omit === 'never' || (structural && omit === 'empty')) return make(never, zero);
        return make((v) => v === null || v === zero || v === '', null);
      }
    }
  }

  /** What an absent struct counts as: the fields that Go writes even so. */
  #zeroStruct(name: string): JsonObject {
    const zero: JsonObject = {};
    for (const f of this.#struct(name).always) zero[f.name] = f.zero;
    return zero;
  }
}

/** The value as Go would write it: undefined where it would leave the field out. */
export function visible(field: MergeField | undefined, value: Json | undefined): Json | undefined {
  if (field === undefined) return value;
  if (value === undefined) return field.omits === never ? field.zero : undefined;
  return field.omits(value) ? undefined : value;
}

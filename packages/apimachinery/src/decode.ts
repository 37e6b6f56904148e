import { type DecodeContext, fieldPath, saveTypeError } from './decode-context.ts';
import { goStructName, goTypeName } from './go-type.ts';
import { setKey } from './json-exact.ts';
import type { Json, JsonObject } from './object.ts';
import { scalarCodecs } from './scalars.ts';
import type { FieldSchema, SchemaRegistry, StructSchema, TypeSchema } from './schema.ts';

/** Gets what stands in the text (never undefined); returns the canonical value, Go's zero value for null. Changes `value` in place. */
type Decode = (value: Json, c: DecodeContext) => Json;

interface FieldDecoder {
  readonly field: FieldSchema;
  readonly decode: Decode;
  /** Values that mean "absent", so that in memory absent and zero are the same for a field that Go would leave out. */
  readonly drops: (value: Json) => boolean;
  /** What stands in memory where the text has nothing; undefined: nothing. */
  readonly absent: (() => Json) | undefined;
}

export interface StructDecoder {
  decode(value: JsonObject, c: DecodeContext): JsonObject;
  /** Go's zero value of the struct, a fresh one at each call. */
  zero(): JsonObject;
}

const isObject = (value: Json): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);
const isEmpty = (value: Json): boolean => {
  if (value === null) return true;
  if (Array.isArray(value)) return value.length === 0;
  if (typeof value === 'object') {
    for (const _ in value) return false;
    return true;
  }
  return false;
};
const never = (): boolean => false;
const isNull = (value: Json): boolean => value === null;

/**
 * Compiles decoders of Go structs, one for each struct and only when it is first met. A decoded object is canonical: fields that Go
 * would omit are absent, fields that Go always writes are there, empty lists and maps that Go would write as null are empty.
 */
export function createDecoderFactory(registry: SchemaRegistry): (structName: string) => StructDecoder {
  const compiled = new Map<string, StructDecoder>();

  function structDecoder(name: string): StructDecoder {
    let decoder = compiled.get(name);
    if (decoder === undefined) {
      const struct = registry.struct(name);
      if (struct === undefined) throw new Error(`unknown struct ${name}`);
      decoder = compileStruct(struct);
      compiled.set(name, decoder);
    }
    return decoder;
  }

  function compileStruct(struct: StructSchema): StructDecoder {
    let fields: Map<string, FieldDecoder> | undefined;
    let always: FieldDecoder[] = [];
    const index = (): Map<string, FieldDecoder> => {
      if (fields === undefined) {
        fields = new Map(struct.fields.map((f) => [f.name, compileField(f, struct.goName)]));
        always = [...fields.values()].filter((f) => f.absent !== undefined);
      }
      return fields;
    };
    const fill = (object: JsonObject): JsonObject => {
      for (const f of always) if (object[f.field.name] === undefined) object[f.field.name] = f.absent!();
      return object;
    };
    return {
      zero() {
        index();
        return fill({});
      },
      decode(object, c) {
        const known = index();
        const outer = c.struct;
        c.struct = struct.goName;
        let dropped: Set<string> | undefined;
        for (const key in object) {
          const f = known.get(key);
          if (f === undefined) {
            c.unknown.push(fieldPath(c, key));
            dropped = (dropped ?? new Set()).add(key);
            continue;
          }
          const value = object[key]!;
          c.path.push(f.field);
          const decoded = f.decode(value, c);
          c.path.pop();
          if (f.drops(decoded)) dropped = (dropped ?? new Set()).add(key);
          else if (decoded !== value) object[key] = decoded;
        }
        c.struct = outer;
        return fill(dropped === undefined ? object : without(object, dropped));
      },
    };
  }

  /** A copy rather than `delete`, which would make a slow object. */
  function without(object: JsonObject, dropped: ReadonlySet<string>): JsonObject {
    const copy: JsonObject = {};
    for (const key in object) if (!dropped.has(key)) setKey(copy, key, object[key]);
    return copy;
  }

  function compileField(field: FieldSchema, struct: string): FieldDecoder {
    const { type, omit, pointer } = field;
    const decode = compileType(type, pointer);
    if (pointer) return { field, decode, drops: omit === 'never' ? never : isNull, absent: omit === 'never' ? () => null : undefined };
    switch (type.kind) {
      case 'struct':
        return { field, decode, drops: never, absent: omit === 'zero' ? undefined : () => structDecoder(type.name).zero() };
      case 'list':
      case 'map':
        // An empty list of managedFields is a client's wish to reset them.
        if (field.name === 'managedFields' && struct === 'ObjectMeta') return { field, decode, drops: isNull, absent: undefined };
        if (omit !== 'never') return { field, decode, drops: isEmpty, absent: undefined };
        return { field, decode, drops: never, absent: type.kind === 'list' ? () => [] : () => ({}) };
      case 'schemaOr':
        return { field, decode, drops: isNull, absent: undefined };
      case 'scalar': {
        const { zero, structural } = scalarCodecs[type.scalar];
        if (omit === 'never' || (structural && omit === 'empty')) return { field, decode, drops: never, absent: () => zero };
        if (type.scalar === 'bytes') return { field, decode, drops: (v) => v === null || v === '', absent: undefined };
        return { field, decode, drops: (v) => v === zero, absent: undefined };
      }
    }
  }

  function compileType(type: TypeSchema, pointer: boolean): Decode {
    switch (type.kind) {
      case 'scalar': {
        const codec = scalarCodecs[type.scalar];
        const goType = type.goType ?? codec.goType;
        const zero = pointer ? null : codec.zero;
        const isFree = type.scalar === 'raw' || type.scalar === 'json' || type.scalar === 'fieldsV1';
        if (isFree) {
          return (value, c) => {
            c.free?.push(fieldPath(c));
            return value;
          };
        }
        return (value, c) => (value === null ? zero : codec.decode(value, c, goType));
      }
      case 'struct':
        return compileStructRef(type.name, pointer);
      case 'list':
        return compileList(type);
      case 'map':
        return compileMap(type);
      case 'schemaOr':
        return compileSchemaOr(type);
    }
  }

  function compileStructRef(name: string, pointer: boolean): Decode {
    let decoder: StructDecoder | undefined;
    return (value, c) => {
      decoder ??= structDecoder(name);
      if (isObject(value)) return decoder.decode(value, c);
      if (value !== null) saveTypeError(c, value, goStructName(registry.struct(name)!), { shape: 'struct' });
      return pointer ? null : decoder.zero();
    };
  }

  function compileList(type: TypeSchema & { kind: 'list' }): Decode {
    const item = compileType(type.items, false);
    return (value, c) => {
      if (value === null) return [];
      if (!Array.isArray(value)) {
        saveTypeError(c, value, goTypeName(type, registry), { shape: 'slice' });
        return [];
      }
      for (let i = 0; i < value.length; i++) {
        const element = value[i]!;
        c.path.push(i);
        const decoded = item(element, c);
        c.path.pop();
        if (decoded !== element) value[i] = decoded;
      }
      return value;
    };
  }

  function compileMap(type: TypeSchema & { kind: 'map' }): Decode {
    const item = compileType(type.values, false);
    const isBytes = type.values.kind === 'scalar' && type.values.scalar === 'bytes';
    return (value, c) => {
      if (value === null) return {};
      if (!isObject(value)) {
        saveTypeError(c, value, goTypeName(type, registry), { shape: 'map' });
        return {};
      }
      for (const key in value) {
        const element = value[key]!;
        c.path.push(key);
        const decoded = item(element, c);
        c.path.pop();
        if (decoded !== element) setKey(value, key, decoded);
        // A nil []byte in a map comes back from upstream's storage as an empty one.
        if (isBytes && decoded === null) setKey(value, key, '');
      }
      return value;
    };
  }

  function compileSchemaOr(type: TypeSchema & { kind: 'schemaOr' }): Decode {
    const schema = compileStructRef(type.name, true);
    const goType = goTypeName(type, registry);
    return (value, c) => {
      if (value === null) return null;
      if (isObject(value)) return schema(value, c);
      if (type.or === 'Bool' && typeof value === 'boolean') return value;
      if (type.or === 'Array' && Array.isArray(value)) return value.map((v) => schema(v, c));
      if (type.or === 'StringArray' && Array.isArray(value)) return value;
      saveTypeError(c, value, goType);
      return null;
    };
  }

  return structDecoder;
}

import { freeJsonText, jsonText, numberText, quoteJson, sortedKeys } from './json-text.ts';
import type { Json, JsonObject } from './object.ts';
import { scalarCodecs } from './scalars.ts';
import type { FieldSchema, SchemaRegistry, StructSchema, TypeSchema } from './schema.ts';

type Encode = (value: Json | undefined) => string;

interface FieldEncoder {
  readonly name: string;
  /** `"name":`, with a comma before it. */
  readonly label: string;
  readonly encode: Encode;
  readonly omits: (value: Json | undefined) => boolean;
}

/** Encodes a struct's fields from `from` up to, not including, `to` (indices into the Go order), without braces: `"a":1,"b":2`. */
export interface StructEncoder {
  readonly fieldNames: readonly string[];
  fields(object: JsonObject, from: number, to: number): string;
  encode: Encode;
}

/** What an empty list or map of a field that is never left out becomes: `null`, as after upstream's storage, or `[]` and `{}`. */
export type EmptyForm = 'null' | 'empty';

const absent = (value: Json | undefined): boolean => value === undefined || value === null;
const never = (): boolean => false;

function emptyList(value: Json | undefined): boolean {
  return absent(value) || (value as Json[]).length === 0;
}
function emptyMap(value: Json | undefined): boolean {
  if (absent(value)) return true;
  for (const key in value as JsonObject) if ((value as JsonObject)[key] !== undefined) return false;
  return true;
}

/** Compiles encoders of Go structs: Go's field order, Go's rules for what is left out, map keys sorted. */
export function createEncoderFactory(registry: SchemaRegistry, empty: EmptyForm = 'null'): (structName: string) => StructEncoder {
  const compiled = new Map<string, StructEncoder>();

  function structEncoder(name: string): StructEncoder {
    let encoder = compiled.get(name);
    if (encoder === undefined) {
      const struct = registry.struct(name);
      if (struct === undefined) throw new Error(`unknown struct ${name}`);
      encoder = compileStruct(struct);
      compiled.set(name, encoder);
    }
    return encoder;
  }

  function compileStruct(struct: StructSchema): StructEncoder {
    let list: FieldEncoder[] | undefined;
    let places: Map<string, number>;
    /** Fields that are written whether the object has them or not. */
    let always: number[];
    let zeroText: string | undefined;
    const compile = (): FieldEncoder[] => {
      const compiledList = struct.fields.map(compileField);
      places = new Map(compiledList.map((f, i) => [f.name, i]));
      always = compiledList.flatMap((f, i) => (f.omits(undefined) ? [] : [i]));
      return compiledList;
    };
    const inGoOrder = (object: JsonObject, from: number, to: number): string => {
      let out = '';
      for (let i = from; i < to; i++) {
        const f = list![i]!;
        const value = object[f.name];
        if (!f.omits(value)) out += f.label + f.encode(value);
      }
      return out.slice(1);
    };
    /** An object that came from canonical bytes has its keys in Go's order: it has far fewer of them than the struct has fields. */
    const fields = (object: JsonObject, from: number, to: number): string => {
      list ??= compile();
      let out = '';
      let last = -1;
      let nextAlways = 0;
      const writeAlways = (before: number): void => {
        for (; nextAlways < always.length && always[nextAlways]! < before; nextAlways++) {
          const place = always[nextAlways]!;
          if (place > last && place >= from) out += list![place]!.label + list![place]!.encode(undefined);
        }
      };
      for (const key in object) {
        const place = places.get(key);
        if (place === undefined) continue;
        if (place < last) return inGoOrder(object, from, to);
        if (place >= from && place < to) {
          if (always.length > 0) writeAlways(place);
          const f = list[place]!;
          const value = object[key];
          if (!f.omits(value)) out += f.label + f.encode(value);
        }
        last = place;
      }
      if (always.length > 0) writeAlways(to);
      return out.slice(1);
    };
    const count = struct.fields.length;
    return {
      fieldNames: struct.fields.map((f) => f.name),
      fields,
      encode(value) {
        if (absent(value)) return (zeroText ??= `{${fields({}, 0, count)}}`);
        return `{${fields(value as JsonObject, 0, count)}}`;
      },
    };
  }

  function compileField(field: FieldSchema): FieldEncoder {
    const { type, omit, pointer } = field;
    const make = (encode: Encode, omits: FieldEncoder['omits']): FieldEncoder => ({
      name: field.name,
      label: `,${quoteJson(field.name)}:`,
      encode,
      omits,
    });
    const plain = compileType(type);
    if (pointer) return make((v) => (absent(v) ? 'null' : plain(v)), omit === 'never' ? never : absent);
    switch (type.kind) {
      case 'struct':
        return make(plain, omit === 'zero' ? emptyMap : never);
      case 'list':
      case 'map': {
        const isEmpty = type.kind === 'list' ? emptyList : emptyMap;
        if (omit !== 'never') return make(plain, isEmpty);
        const none = empty === 'null' ? 'null' : type.kind === 'list' ? '[]' : '{}';
        return make((v) => (isEmpty(v) ? none : plain(v)), never);
      }
      case 'schemaOr':
        return make(plain, absent);
      case 'scalar': {
        const { zero, structural } = scalarCodecs[type.scalar];
        if (omit === 'never' || (structural && omit === 'empty')) {
          const zeroText = jsonText(zero, false);
          return make((v) => (absent(v) ? zeroText : plain(v)), never);
        }
        if (type.scalar === 'bytes') return make(plain, (v) => absent(v) || v === '');
        return make(plain, (v) => v === undefined || v === null || v === zero);
      }
    }
  }

  function compileType(type: TypeSchema): Encode {
    switch (type.kind) {
      case 'scalar':
        return compileScalar(type);
      case 'struct': {
        let encoder: StructEncoder | undefined;
        return (value) => (encoder ??= structEncoder(type.name)).encode(value);
      }
      case 'schemaOr': {
        const schema = compileType({ kind: 'struct', name: type.name });
        return (value) => {
          if (Array.isArray(value)) return type.or === 'Array' ? `[${value.map(schema).join(',')}]` : jsonText(value, false);
          return typeof value === 'boolean' ? String(value) : schema(value);
        };
      }
      case 'list': {
        const item = compileType(type.items);
        return (value) => {
          let out = '[';
          const list = value as Json[];
          for (let i = 0; i < list.length; i++) out += i === 0 ? item(list[i]) : `,${item(list[i])}`;
          return `${out}]`;
        };
      }
      case 'map': {
        const item = compileType(type.values);
        return (value) => {
          let out = '';
          const object = value as JsonObject;
          for (const key of sortedKeys(object)) {
            const v = object[key];
            if (v !== undefined) out += `,${quoteJson(key)}:${item(v)}`;
          }
          return `{${out.slice(1)}}`;
        };
      }
    }
  }

  function compileScalar(type: TypeSchema & { kind: 'scalar' }): Encode {
    switch (type.scalar) {
      case 'raw':
      case 'json':
      case 'fieldsV1':
        return (value) => freeJsonText(value ?? null);
      case 'boolean':
        return (value) => (value === true ? 'true' : 'false');
      case 'int32':
      case 'int64':
      case 'float64':
        return (value) => numberText(value as number);
      default:
        return (value) => (typeof value === 'string' ? quoteJson(value) : jsonText(value, false));
    }
  }

  return structEncoder;
}

import { parseDuration } from './duration.ts';
import { jsonText, sortedKeys } from './json-text.ts';
import type { Json, JsonObject } from './object.ts';
import { ProtobufWriter } from './protobuf-writer.ts';
import { isVarint, type MessageShape, messageShape, protobufMagic, wrappedLists } from './protobuf-shape.ts';
import type { FieldSchema, ScalarName, SchemaRegistry, StructSchema, TypeSchema } from './schema.ts';
import { parseTime } from './time.ts';

/** One field of a message, or a message embedded in Go's struct, whose fields lie in the outer object. */
type Step = { readonly number: number; readonly field: FieldSchema } | { readonly number: number; readonly embedded: readonly Step[] };

const steps = new WeakMap<StructSchema, readonly Step[]>();

/** The writing order of a struct: falling field numbers. */
function stepsOf(struct: StructSchema): readonly Step[] {
  let known = steps.get(struct);
  if (known === undefined) {
    known = stepsOfShape(messageShape(struct));
    steps.set(struct, known);
  }
  return known;
}

function stepsOfShape(shape: MessageShape): readonly Step[] {
  const all: Step[] = [];
  for (const [number, field] of shape.fields) all.push({ number, field });
  for (const [number, embedded] of shape.embedded) all.push({ number, embedded: stepsOfShape(embedded) });
  return all.sort((a, b) => b.number - a.number);
}

const emptyObject: JsonObject = {};

/**
 * Objects of built-in kinds as protobuf messages, as Go's generated code writes them: a field that is no pointer is there even when it
 * is zero, fields stand in the order of their numbers, maps in the order of their keys. One encoder at a time: it has one buffer.
 */
export interface ProtobufEncoder {
  /** The message of a struct. Throws when the registry has no such struct. */
  message(schemaName: string, object: JsonObject): Buffer;
}

/** An encoder for the structs of a registry. Pure but for its buffer. */
export function createProtobufEncoder(registry: SchemaRegistry): ProtobufEncoder {
  const writer = new ProtobufWriter(64 * 1024);

  function structOf(name: string): StructSchema {
    const struct = registry.struct(name);
    if (struct === undefined) throw new Error(`unknown message ${name}`);
    return struct;
  }

  function fields(all: readonly Step[], object: JsonObject): void {
    for (const step of all) {
      if ('embedded' in step) {
        const before = writer.length;
        fields(step.embedded, object);
        writer.close(before);
        writer.tag(step.number, 2);
      } else field(step.field, step.number, object[step.field.name]);
    }
  }

  function field(schema: FieldSchema, number: number, value: Json | undefined): void {
    const { type } = schema;
    if (type.kind === 'list' && !wrappedLists.has(type.goType ?? '')) {
      if (!Array.isArray(value)) return;
      for (let i = value.length - 1; i >= 0; i--) tagged(type.items, number, value[i]);
    } else if (type.kind === 'map') {
      if (typeof value === 'object' && value !== null && !Array.isArray(value)) entries(type.values, number, value);
    } else if (value !== undefined && value !== null) tagged(type, number, value);
    else if (!schema.pointer && !isNilable(type)) tagged(type, number, undefined);
  }

  function entries(values: TypeSchema, number: number, map: JsonObject): void {
    const keys = sortedKeys(map);
    for (let i = keys.length - 1; i >= 0; i--) {
      const key = keys[i] as string;
      const before = writer.length;
      const value = map[key];
      // Go leaves out an empty byte slice, nothing else.
      if (!(values.kind === 'scalar' && values.scalar === 'bytes' && !value)) tagged(values, 2, value ?? undefined);
      writer.text(key);
      writer.byte(0x0a);
      writer.close(before);
      writer.tag(number, 2);
    }
  }

  /** A value with its tag; undefined is the type's zero value. */
  function tagged(type: TypeSchema, number: number, value: Json | undefined): void {
    switch (type.kind) {
      case 'scalar':
        scalar(type.scalar, value ?? undefined);
        writer.tag(number, type.scalar === 'float64' ? 1 : isVarint(type.scalar) ? 0 : 2);
        return;
      case 'struct': {
        const before = writer.length;
        fields(stepsOf(structOf(type.name)), isObject(value) ? value : emptyObject);
        writer.close(before);
        break;
      }
      case 'list': {
        const before = writer.length;
        if (Array.isArray(value)) for (let i = value.length - 1; i >= 0; i--) tagged(type.items, 1, value[i]);
        writer.close(before);
        break;
      }
      case 'schemaOr':
        schemaOr(type, value);
        break;
      case 'map':
        throw new Error('a map is no single value');
    }
    writer.tag(number, 2);
  }

  function schemaOr(type: TypeSchema & { kind: 'schemaOr' }, value: Json | undefined): void {
    const before = writer.length;
    const struct: TypeSchema = { kind: 'struct', name: type.name };
    const names: TypeSchema = { kind: 'scalar', scalar: 'string' };
    if (type.or === 'Bool') {
      if (isObject(value)) tagged(struct, 2, value);
      // Beside a schema Go has `true`.
      writer.byte(isObject(value) || value === true ? 1 : 0);
      writer.tag(1, 0);
    } else if (Array.isArray(value)) {
      for (let i = value.length - 1; i >= 0; i--) tagged(type.or === 'Array' ? struct : names, 2, value[i]);
    } else if (isObject(value)) tagged(struct, 1, value);
    writer.close(before);
  }

  function scalar(name: ScalarName, value: Json | undefined): void {
    switch (name) {
      case 'int32':
      case 'int64':
        return writer.int64((value ?? 0) as number | bigint);
      case 'boolean':
        return writer.byte(value === true ? 1 : 0);
      case 'float64':
        return writer.double(Number(value ?? 0));
      case 'string':
        return writer.text((value ?? '') as string);
      case 'bytes':
        return writer.bytes(Buffer.from((value ?? '') as string, 'base64'));
      default:
        return wrapped(name, value);
    }
  }

  /** Scalars of JSON that are messages in protobuf. */
  function wrapped(name: ScalarName, value: Json | undefined): void {
    const before = writer.length;
    switch (name) {
      case 'quantity':
        writer.text((value ?? '0') as string);
        writer.byte(0x0a);
        break;
      case 'intOrString':
        writer.text(typeof value === 'string' ? value : '');
        writer.byte(0x1a);
        writer.int64(typeof value === 'string' ? 0 : ((value ?? 0) as number));
        writer.byte(0x10);
        writer.byte(typeof value === 'string' ? 1 : 0);
        writer.byte(0x08);
        break;
      case 'time':
      case 'microTime':
        if (value !== undefined) timestamp(value as string, name);
        break;
      case 'duration':
        writer.int64(value === undefined ? 0 : parseDuration(value as string));
        writer.byte(0x08);
        break;
      default:
        if (value !== undefined) {
          writer.bytes(Buffer.from(jsonText(value, false)));
          writer.byte(0x0a);
        }
    }
    writer.close(before);
  }

  function timestamp(text: string, name: 'time' | 'microTime'): void {
    const ms = parseTime(text);
    // `2006-01-02T15:04:05.000000Z`: what a Time has behind its seconds is not carried.
    const micros = name === 'microTime' ? Number(text.slice(20, 26)) : 0;
    writer.int64(micros * 1000);
    writer.byte(0x10);
    writer.int64(Math.floor(ms / 1000));
    writer.byte(0x08);
  }

  return {
    message(schemaName, object) {
      writer.discard();
      fields(stepsOf(structOf(schemaName)), object);
      return writer.take();
    },
  };
}

/** The body that carries a message: `k8s\0` and a runtime.Unknown with the object's type. */
export function protobufEnvelope(apiVersion: string, kind: string, message: Uint8Array): Buffer {
  const { head, tail } = protobufEnvelopeAround(apiVersion, kind, message.length);
  return Buffer.concat([head, message, tail]);
}

/** What stands before and behind a message of `length` bytes in its body. */
export function protobufEnvelopeAround(apiVersion: string, kind: string, length: number): { readonly head: Buffer; readonly tail: Buffer } {
  const writer = new ProtobufWriter(256);
  writer.varint(length);
  writer.byte(0x12);
  const before = writer.length;
  writer.text(kind);
  writer.byte(0x12);
  writer.text(apiVersion);
  writer.byte(0x0a);
  writer.close(before);
  writer.byte(0x0a);
  return { head: Buffer.concat([protobufMagic, writer.take()]), tail: envelopeTail };
}
/** Empty contentEncoding and contentType. */
const envelopeTail = Buffer.from([0x1a, 0, 0x22, 0]);

const isObject = (value: Json | undefined): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Go's slices and maps: absent is nil, which writes nothing. */
const isNilable = (type: TypeSchema): boolean => type.kind === 'list' || (type.kind === 'scalar' && type.scalar === 'bytes');

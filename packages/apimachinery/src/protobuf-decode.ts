import { formatDuration } from './duration.ts';
import { parseJson } from './json.ts';
import { setKey } from './json-exact.ts';
import type { Json, JsonObject } from './object.ts';
import { ProtobufError, ProtobufReader } from './protobuf-reader.ts';
import { isVarint, type MessageShape, messageShape, protobufMagic, wrappedLists } from './protobuf-shape.ts';
import type { FieldSchema, ScalarName, SchemaRegistry, StructSchema, TypeSchema } from './schema.ts';

export { ProtobufError } from './protobuf-reader.ts';
export { protobufMagic } from './protobuf-shape.ts';

/** The messages of gogoproto nest; deeper ones than any type has are refused. */
const maxDepth = 100;

export interface ProtobufEnvelope {
  readonly apiVersion: string;
  readonly kind: string;
  readonly raw: Buffer;
}

/** The envelope of a body: kind and apiVersion, and the message itself. Throws ProtobufError. */
export function readProtobufEnvelope(body: Buffer): ProtobufEnvelope {
  if (!body.subarray(0, 4).equals(protobufMagic)) {
    throw new ProtobufError(`provided data does not appear to be a protobuf message, expected prefix ${protobufMagic.toString('hex')}`);
  }
  const reader = new ProtobufReader(body.subarray(4));
  let typeMeta = new ProtobufReader(Buffer.alloc(0));
  let raw: Buffer = Buffer.alloc(0);
  while (!reader.done) {
    const { number, wire } = reader.tag();
    if (number === 1 && wire === 2) typeMeta = new ProtobufReader(reader.bytes());
    else if (number === 2 && wire === 2) raw = reader.bytes();
    else reader.skip(wire);
  }
  const names = { apiVersion: '', kind: '' };
  while (!typeMeta.done) {
    const { number, wire } = typeMeta.tag();
    if (number === 1 && wire === 2) names.apiVersion = typeMeta.bytes().toString('utf8');
    else if (number === 2 && wire === 2) names.kind = typeMeta.bytes().toString('utf8');
    else typeMeta.skip(wire);
  }
  return { ...names, raw };
}

/** A message of a known struct as the JSON tree that a JSON body would have been. Throws ProtobufError. */
export function decodeProtobufMessage(registry: SchemaRegistry, schemaName: string, raw: Buffer): JsonObject {
  const struct = registry.struct(schemaName);
  if (struct === undefined) throw new ProtobufError(`unknown message ${schemaName}`);
  return new MessageDecoder(registry).struct(struct, raw, 0);
}

class MessageDecoder {
  readonly #registry: SchemaRegistry;

  constructor(registry: SchemaRegistry) {
    this.#registry = registry;
  }

  struct(struct: StructSchema, raw: Buffer, depth: number): JsonObject {
    const out: JsonObject = {};
    this.#message(messageShape(struct), raw, out, depth);
    return out;
  }

  #message(shape: MessageShape, raw: Buffer, out: JsonObject, depth: number): void {
    if (depth > maxDepth) throw new ProtobufError('proto: message is nested too deeply');
    const reader = new ProtobufReader(raw);
    while (!reader.done) {
      const { number, wire } = reader.tag();
      const embedded = shape.embedded.get(number);
      if (embedded !== undefined && wire === 2) {
        this.#message(embedded, reader.bytes(), out, depth + 1);
        continue;
      }
      const field = shape.fields.get(number);
      if (field === undefined) reader.skip(wire);
      else this.#field(field, { reader, wire, out, depth });
    }
  }

  #field(field: FieldSchema, at: { reader: ProtobufReader; wire: number; out: JsonObject; depth: number }): void {
    const { type, name } = field;
    const { reader, wire, out, depth } = at;
    if (type.kind === 'list' && !wrappedLists.has(type.goType ?? '')) {
      const list = (out[name] ?? []) as Json[];
      out[name] = list;
      // Numbers may come packed.
      if (wire === 2 && type.items.kind === 'scalar' && isVarint(type.items.scalar)) {
        const packed = new ProtobufReader(reader.bytes());
        while (!packed.done) list.push(this.#value(type.items, packed, 0, depth));
      } else list.push(this.#value(type.items, reader, wire, depth));
      return;
    }
    if (type.kind === 'map') {
      const map = (out[name] ?? {}) as JsonObject;
      out[name] = map;
      this.#mapEntry(type.values, reader.bytes(), map, depth);
      return;
    }
    out[name] = this.#value(type, reader, wire, depth);
  }

  #mapEntry(values: TypeSchema, raw: Buffer, map: JsonObject, depth: number): void {
    const reader = new ProtobufReader(raw);
    let key = '';
    let value: Json | undefined;
    while (!reader.done) {
      const { number, wire } = reader.tag();
      if (number === 1 && wire === 2) key = reader.bytes().toString('utf8');
      else if (number === 2) value = this.#value(values, reader, wire, depth);
      else reader.skip(wire);
    }
    setKey(map, key, value ?? this.#absent(values));
  }

  /** A map's value that is left out is its zero value. */
  #absent(type: TypeSchema): Json {
    if (type.kind === 'struct') return {};
    if (type.kind === 'list') return [];
    if (type.kind === 'scalar') {
      if (type.scalar === 'boolean') return false;
      if (isVarint(type.scalar) || type.scalar === 'float64') return 0;
      if (type.scalar === 'quantity') return '0';
      return type.scalar === 'string' || type.scalar === 'bytes' ? '' : null;
    }
    return null;
  }

  #value(type: TypeSchema, reader: ProtobufReader, wire: number, depth: number): Json {
    switch (type.kind) {
      case 'scalar':
        return scalarValue(type.scalar, reader, wire);
      case 'struct': {
        const struct = this.#registry.struct(type.name);
        if (struct === undefined) throw new ProtobufError(`unknown message ${type.name}`);
        return this.struct(struct, reader.bytes(), depth + 1);
      }
      case 'list': {
        const items: Json[] = [];
        const inner = new ProtobufReader(reader.bytes());
        while (!inner.done) {
          const tag = inner.tag();
          if (tag.number === 1) items.push(this.#value(type.items, inner, tag.wire, depth + 1));
          else inner.skip(tag.wire);
        }
        return items;
      }
      case 'schemaOr':
        return this.#schemaOr(type, reader.bytes(), depth + 1);
      case 'map':
        throw new ProtobufError('proto: a map is no single value');
    }
  }

  /** JSONSchemaPropsOrBool, -OrArray, -OrStringArray: the schema in one field, the alternative in the other. */
  #schemaOr(type: TypeSchema & { kind: 'schemaOr' }, raw: Buffer, depth: number): Json {
    const reader = new ProtobufReader(raw);
    const schemaNumber = type.or === 'Bool' ? 2 : 1;
    let schema: Json | undefined;
    let allows = false;
    const alternatives: Json[] = [];
    while (!reader.done) {
      const { number, wire } = reader.tag();
      if (number === schemaNumber) schema = this.#value({ kind: 'struct', name: type.name }, reader, wire, depth);
      else if (type.or === 'Bool' && number === 1) allows = reader.varint() !== 0n;
      else if (number === 2) {
        alternatives.push(
          type.or === 'Array' ? this.#value({ kind: 'struct', name: type.name }, reader, wire, depth) : reader.bytes().toString('utf8'),
        );
      } else reader.skip(wire);
    }
    if (type.or === 'Bool') return schema ?? allows;
    return alternatives.length > 0 ? alternatives : (schema ?? null);
  }
}

function scalarValue(scalar: ScalarName, reader: ProtobufReader, wire: number): Json {
  switch (scalar) {
    case 'int32':
    case 'int64':
      return reader.int64();
    case 'boolean':
      return reader.varint() !== 0n;
    case 'float64':
      if (wire !== 1) throw new ProtobufError(`proto: wrong wireType = ${wire} for a double`);
      return reader.double();
    case 'string':
      return reader.bytes().toString('utf8');
    case 'bytes':
      return reader.bytes().toString('base64');
    case 'quantity':
      return stringField(reader.bytes()) || '0';
    case 'intOrString':
      return intOrString(reader.bytes());
    case 'time':
    case 'microTime':
      return timestamp(reader.bytes(), scalar);
    case 'duration':
      return formatDuration(BigInt(intField(reader.bytes())));
    case 'raw':
    case 'json':
    case 'fieldsV1': {
      const raw = bytesField(reader.bytes());
      return raw.length === 0 ? null : parseJson(raw).value;
    }
  }
}

/** The value of field 1 in a message that wraps it. */
function bytesField(raw: Buffer): Buffer {
  const reader = new ProtobufReader(raw);
  let value: Buffer = Buffer.alloc(0);
  while (!reader.done) {
    const { number, wire } = reader.tag();
    if (number === 1 && wire === 2) value = reader.bytes();
    else reader.skip(wire);
  }
  return value;
}
const stringField = (raw: Buffer): string => bytesField(raw).toString('utf8');

function intField(raw: Buffer): number | bigint {
  const reader = new ProtobufReader(raw);
  let value: number | bigint = 0;
  while (!reader.done) {
    const { number, wire } = reader.tag();
    if (number === 1 && wire === 0) value = reader.int64();
    else reader.skip(wire);
  }
  return value;
}

function intOrString(raw: Buffer): Json {
  const reader = new ProtobufReader(raw);
  let type = 0n;
  let int: number | bigint = 0;
  let text = '';
  while (!reader.done) {
    const { number, wire } = reader.tag();
    if (number === 1 && wire === 0) type = reader.varint();
    else if (number === 2 && wire === 0) int = reader.int64();
    else if (number === 3 && wire === 2) text = reader.bytes().toString('utf8');
    else reader.skip(wire);
  }
  return type === 1n ? text : int;
}

/** An empty Timestamp is Go's zero time: null. */
function timestamp(raw: Buffer, scalar: 'time' | 'microTime'): Json {
  const reader = new ProtobufReader(raw);
  let seconds = 0;
  let nanos = 0;
  while (!reader.done) {
    const { number, wire } = reader.tag();
    if (number === 1 && wire === 0) seconds = Number(reader.int64());
    else if (number === 2 && wire === 0) nanos = Number(reader.int64());
    else reader.skip(wire);
  }
  if (seconds === 0 && nanos === 0) return null;
  const text = new Date(seconds * 1000).toISOString().slice(0, 19);
  return scalar === 'time' ? `${text}Z` : `${text}.${String(Math.floor(nanos / 1000)).padStart(6, '0')}Z`;
}

import {
  type FieldSchema,
  formatDuration,
  formatTime,
  type Json,
  type JsonObject,
  type SchemaRegistry,
  type StructSchema,
  type TypeSchema,
} from '@skiff/apimachinery';
import { ProtobufError, ProtobufReader } from './protobuf-reader.ts';

export const protobufMediaType = 'application/vnd.kubernetes.protobuf';
const magic = Buffer.from('k8s\0', 'latin1');
const maximumDepth = 100;

/** Field number → what it carries: a field, or an embedded struct whose fields are flattened in JSON. */
interface MessagePlan {
  readonly fields: ReadonlyMap<number, FieldSchema | MessagePlan>;
}
const isPlan = (p: FieldSchema | MessagePlan): p is MessagePlan => 'fields' in p;

interface MutablePlan {
  fields: Map<number, FieldSchema | MutablePlan>;
}

function planOf(struct: StructSchema): MessagePlan {
  const root: MutablePlan = { fields: new Map() };
  for (const field of struct.fields) {
    // Kind and version of an object stand in the envelope, not in its message.
    if (field.number === undefined || field.inlineNames?.[0] === 'TypeMeta') continue;
    let plan = root;
    for (const number of field.inline ?? []) {
      let next = plan.fields.get(number) as MutablePlan | undefined;
      if (next === undefined) plan.fields.set(number, (next = { fields: new Map() }));
      plan = next;
    }
    plan.fields.set(field.number, field);
  }
  return root;
}

const utf8 = new TextDecoder('utf-8', { fatal: true });
function text(bytes: Buffer): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new ProtobufError('proto: string field contains invalid UTF-8');
  }
}

const integer = (n: bigint): Json => (n >= -9007199254740991n && n <= 9007199254740991n ? Number(n) : n);

/** All (field number, reader position) pairs of a small message whose layout is known. */
function smallMessage(bytes: Buffer, read: Readonly<Record<number, (r: ProtobufReader) => void>>): void {
  const reader = new ProtobufReader(bytes);
  while (!reader.done) {
    const { number, wire } = reader.tag();
    const known = read[number];
    if (known === undefined) reader.skip(wire);
    else known(reader);
  }
}

function readTime(bytes: Buffer, micro: boolean): Json {
  // An empty message is Go's zero time, which is null in JSON.
  if (bytes.length === 0) return null;
  let seconds = 0n;
  let nanos = 0n;
  smallMessage(bytes, { 1: (r) => (seconds = r.int64()), 2: (r) => (nanos = r.int64()) });
  const ms = Number(seconds) * 1000;
  if (Math.abs(ms) > 8.64e15) throw new ProtobufError('time is out of range');
  const whole = formatTime(ms);
  return micro ? `${whole.slice(0, -1)}.${String(nanos / 1000n).padStart(6, '0')}Z` : whole;
}

function readIntOrString(bytes: Buffer): Json {
  let type = 0n;
  let int = 0n;
  let string = '';
  smallMessage(bytes, { 1: (r) => (type = r.int64()), 2: (r) => (int = r.int64()), 3: (r) => (string = text(r.bytes())) });
  return type === 1n ? string : integer(int);
}

function readRawJson(bytes: Buffer): Json {
  let raw: Buffer | undefined;
  smallMessage(bytes, { 1: (r) => (raw = r.bytes()) });
  if (raw === undefined || raw.length === 0) return null;
  try {
    return JSON.parse(text(raw)) as Json;
  } catch (error) {
    throw new ProtobufError(`embedded JSON: ${(error as Error).message}`);
  }
}

function readNumberMessage(bytes: Buffer): bigint {
  let value = 0n;
  smallMessage(bytes, { 1: (r) => (value = r.int64()) });
  return value;
}

function readStringMessage(bytes: Buffer): string {
  let value = '';
  smallMessage(bytes, { 1: (r) => (value = text(r.bytes())) });
  return value;
}

/** Turns messages of built-in kinds into their JSON form, by the field numbers in the schema. */
export class ProtobufDecoder {
  readonly #registry: SchemaRegistry;
  readonly #plans = new Map<string, MessagePlan>();
  #schemaOfKind: Map<string, string> | undefined;

  constructor(registry: SchemaRegistry) {
    this.#registry = registry;
  }

  /** A body with its `k8s\0` envelope → the object with kind and apiVersion. Throws ProtobufError. */
  decodeObject(body: Buffer): JsonObject {
    if (!body.subarray(0, 4).equals(magic))
      throw new ProtobufError('provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]');
    let apiVersion = '';
    let kind = '';
    let raw: Buffer = Buffer.alloc(0);
    smallMessage(body.subarray(4), {
      1: (r) => smallMessage(r.bytes(), { 1: (t) => (apiVersion = text(t.bytes())), 2: (t) => (kind = text(t.bytes())) }),
      2: (r) => (raw = r.bytes()),
      3: (r) => void r.bytes(),
      4: (r) => void r.bytes(),
    });
    return { kind, apiVersion, ...this.#struct(this.#schemaName(apiVersion, kind), raw, 0) };
  }

  #schemaName(apiVersion: string, kind: string): string {
    if (this.#schemaOfKind === undefined) {
      this.#schemaOfKind = new Map();
      for (const name of this.#registry.names()) {
        const gvk = this.#registry.struct(name)?.groupVersionKind;
        if (gvk !== undefined) this.#schemaOfKind.set(`${gvk.group === '' ? '' : `${gvk.group}/`}${gvk.version} ${gvk.kind}`, name);
      }
    }
    // Options belong to meta/v1, whatever group they are sent to.
    const found =
      this.#schemaOfKind.get(`${apiVersion} ${kind}`) ??
      (kind.endsWith('Options') ? `io.k8s.apimachinery.pkg.apis.meta.v1.${kind}` : undefined);
    if (found === undefined || this.#registry.struct(found) === undefined)
      throw new ProtobufError(`no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)}`);
    return found;
  }

  #struct(name: string, bytes: Buffer, depth: number): JsonObject {
    let plan = this.#plans.get(name);
    if (plan === undefined) {
      const struct = this.#registry.struct(name);
      if (struct === undefined) throw new ProtobufError(`unknown message ${name}`);
      plan = planOf(struct);
      this.#plans.set(name, plan);
    }
    const out: JsonObject = {};
    this.#message(plan, bytes, out, depth);
    return out;
  }

  #message(plan: MessagePlan, bytes: Buffer, out: JsonObject, depth: number): void {
    if (depth > maximumDepth) throw new ProtobufError('message is nested too deeply');
    const reader = new ProtobufReader(bytes);
    while (!reader.done) {
      const { number, wire } = reader.tag();
      const target = plan.fields.get(number);
      if (target === undefined) reader.skip(wire);
      else if (isPlan(target)) this.#message(target, reader.bytes(), out, depth + 1);
      else this.#field(target, reader, wire, out, depth);
    }
  }

  #field(field: FieldSchema, reader: ProtobufReader, wire: number, out: JsonObject, depth: number): void {
    const { type, name } = field;
    if (type.kind === 'list' && !this.#wrapped(type)) {
      const list = (out[name] ??= []) as Json[];
      if (wire === 2 && type.items.kind === 'scalar' && isVarint(type.items)) {
        const packed = new ProtobufReader(reader.bytes());
        while (!packed.done) list.push(this.#value(type.items, packed, depth));
      } else list.push(this.#value(type.items, reader, depth));
    } else if (type.kind === 'map') {
      const map = (out[name] ??= {}) as JsonObject;
      let key = '';
      let value: Json | undefined;
      smallMessage(reader.bytes(), { 1: (r) => (key = text(r.bytes())), 2: (r) => (value = this.#value(type.values, r, depth)) });
      Object.defineProperty(map, key, { value: value ?? this.#zero(type.values), enumerable: true, writable: true, configurable: true });
    } else out[name] = this.#value(type, reader, depth);
  }

  /** Named slice types that are messages of their own (`ExtraValue`, `Verbs`), since protobuf has no lists as map values. */
  #wrapped(type: TypeSchema): boolean {
    return type.kind === 'list' && type.goType !== undefined && /(?:^|\.)(?:ExtraValue|Verbs)$/.test(type.goType);
  }

  #zero(type: TypeSchema): Json {
    if (type.kind === 'list') return [];
    return type.kind === 'scalar' && (type.scalar === 'string' || type.scalar === 'bytes') ? '' : null;
  }

  #value(type: TypeSchema, reader: ProtobufReader, depth: number): Json {
    switch (type.kind) {
      case 'struct':
        return this.#struct(type.name, reader.bytes(), depth + 1);
      case 'schemaOr':
        return this.#schemaOr(type, reader.bytes(), depth + 1);
      case 'list': {
        const items: Json[] = [];
        smallMessage(reader.bytes(), { 1: (r) => void items.push(this.#value(type.items, r, depth + 1)) });
        return items;
      }
      case 'map':
        throw new ProtobufError('maps of maps have no protobuf form');
      case 'scalar':
        return readScalar(type.scalar, reader);
    }
  }

  #schemaOr(type: Extract<TypeSchema, { kind: 'schemaOr' }>, bytes: Buffer, depth: number): Json {
    let schema: Json | undefined;
    let allows: Json = false;
    const list: Json[] = [];
    const readSchema = (r: ProtobufReader): void => void (schema = this.#struct(type.name, r.bytes(), depth));
    if (type.or === 'Bool') smallMessage(bytes, { 1: (r) => (allows = r.varint() !== 0n), 2: readSchema });
    else if (type.or === 'Array')
      smallMessage(bytes, { 1: readSchema, 2: (r) => void list.push(this.#struct(type.name, r.bytes(), depth)) });
    else smallMessage(bytes, { 1: readSchema, 2: (r) => void list.push(text(r.bytes())) });
    return schema ?? (type.or === 'Bool' ? allows : list);
  }
}

const isVarint = (type: Extract<TypeSchema, { kind: 'scalar' }>): boolean =>
  type.scalar === 'int32' || type.scalar === 'int64' || type.scalar === 'boolean';

function readScalar(scalar: Extract<TypeSchema, { kind: 'scalar' }>['scalar'], reader: ProtobufReader): Json {
  switch (scalar) {
    case 'string':
      return text(reader.bytes());
    case 'boolean':
      return reader.varint() !== 0n;
    case 'int32':
      return Number(BigInt.asIntN(32, reader.varint()));
    case 'int64':
      return integer(reader.int64());
    case 'float64':
      return reader.double();
    case 'bytes':
      return reader.bytes().toString('base64');
    case 'time':
      return readTime(reader.bytes(), false);
    case 'microTime':
      return readTime(reader.bytes(), true);
    case 'duration':
      return formatDuration(readNumberMessage(reader.bytes()));
    case 'quantity':
      return readStringMessage(reader.bytes());
    case 'intOrString':
      return readIntOrString(reader.bytes());
    case 'raw':
    case 'json':
    case 'fieldsV1':
      return readRawJson(reader.bytes());
  }
}

/** JSON text that keeps integers beyond 2^53 exact. */
export function stringifyExactly(value: Json | undefined): string {
  if (typeof value === 'bigint') return value.toString();
  if (Array.isArray(value)) return `[${value.map(stringifyExactly).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).flatMap(([k, v]) => (v === undefined ? [] : [`${JSON.stringify(k)}:${stringifyExactly(v)}`]));
    return `{${members.join(',')}}`;
  }
  return JSON.stringify(value);
}

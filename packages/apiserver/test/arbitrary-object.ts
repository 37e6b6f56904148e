import { builtinSchemas } from '@skiff/api';
import type { FieldSchema, Json, JsonObject, TypeSchema } from '@skiff/apimachinery';
import fc from 'fast-check';

const word = fc.constantFrom('', 'a', 'b', 'web', 'x-1', 'A_b.c', 'ünï', '😀', '"\\\n', 'a/b', '10.0.0.1', '-', '__proto__', 'constructor');
const name = fc.constantFrom('a', 'b', 'c', 'web', 'x-1');
/** Values of each sort of scalar. */
export const scalars: Readonly<Record<string, fc.Arbitrary<Json>>> = {
  string: word,
  boolean: fc.boolean(),
  int32: fc.oneof(fc.constantFrom(0, 1, -1, 80, 2 ** 31 - 1, -(2 ** 31)), fc.integer({ min: -1000, max: 1000 })),
  int64: fc.oneof(fc.constantFrom<Json>(0, 1, 2 ** 40, 9007199254740993n, -9223372036854775808n), fc.integer()),
  float64: fc.constantFrom(0, 1.5, -2.25, 1e21),
  quantity: fc.constantFrom('0', '100m', '1Gi', '1.5', '-3', '12e6', '0.001', '1k'),
  intOrString: fc.constantFrom<Json>(0, 80, 'http', '25%', ''),
  time: fc.constantFrom('2026-01-02T03:04:05Z', '1999-12-31T23:59:59Z'),
  microTime: fc.constantFrom('2026-01-02T03:04:05.678901Z', '1999-12-31T23:59:59.000000Z'),
  duration: fc.constantFrom('0s', '1h0m0s', '1.5s'),
  bytes: fc.constantFrom('', 'YQ==', 'AAECAw=='),
  base64: fc.constantFrom('', 'YQ==', 'AAECAw=='),
};

/** What is not made: raw JSON of any kind is compared elsewhere, and managedFields are the server's. */
export const leftOut = new Set(['managedFields', 'raw', 'object', 'parameters']);

function valueOf(type: TypeSchema, depth: number): fc.Arbitrary<Json> | undefined {
  switch (type.kind) {
    case 'scalar': {
      if (type.enum !== undefined && type.enum.length > 0) return fc.constantFrom(...type.enum);
      return scalars[type.scalar];
    }
    case 'struct':
      return depth <= 0 ? undefined : structOf(type.name, depth - 1);
    case 'list': {
      const items = valueOf(type.items, depth - 1);
      return items === undefined ? undefined : fc.array(items, { maxLength: 3 });
    }
    case 'map': {
      const values = valueOf(type.values, depth - 1);
      return values === undefined ? undefined : fc.dictionary(name, values, { maxKeys: 3 });
    }
    case 'schemaOr':
      return undefined;
  }
}

const typeMetaFields = new Set(['apiVersion', 'kind']);
/** At most so many of the fields that may be left out are there. */
const maxFields = 8;

function structOf(schemaName: string, depth: number): fc.Arbitrary<JsonObject> {
  const struct = builtinSchemas.struct(schemaName);
  // Protobuf has no place for the type of what is embedded.
  const isObject = struct?.fields.some((f) => f.name === 'metadata') ?? false;
  const makers = (struct?.fields ?? []).flatMap((field: FieldSchema) => {
    const maker = leftOut.has(field.name) || (isObject && typeMetaFields.has(field.name)) ? undefined : valueOf(field.type, depth);
    return maker === undefined ? [] : [{ field, maker }];
  });
  if (makers.length === 0) return fc.constant({});
  const needed = makers.filter((m) => m.field.required);
  return fc.subarray(makers, { maxLength: Math.min(makers.length, maxFields) }).chain((chosen) => {
    const all = [...new Set([...needed, ...chosen])];
    return fc.record(Object.fromEntries(all.map(({ field, maker }) => [field.name, maker]))) as fc.Arbitrary<JsonObject>;
  });
}

/** Objects that the structure of a kind allows, whatever validation says of them. */
export function arbitraryObject(schemaName: string, typeMeta: { apiVersion: string; kind: string }): fc.Arbitrary<JsonObject> {
  return structOf(schemaName, 5).map((object) => ({ ...object, ...typeMeta }));
}

/** A text with parts that are changed, moved, doubled or gone. */
export function damaged(text: fc.Arbitrary<Buffer>): fc.Arbitrary<Buffer> {
  const damage = fc.record({
    kind: fc.constantFrom('flip', 'cut', 'repeat', 'insert', 'swap'),
    at: fc.double({ min: 0, max: 0.999, noNaN: true }),
    length: fc.integer({ min: 1, max: 40 }),
    bytes: fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 8 }).map((b) => Buffer.from(b)),
      fc
        .constantFrom(
          '{',
          '}',
          '[',
          ']',
          '"',
          'null',
          '1e999',
          '-',
          '\u0000',
          ':',
          ',',
          '&a ',
          '*a',
          '!!',
          '\\u0000',
          '99999999999999999999',
        )
        .map((s) => Buffer.from(s)),
    ),
  });
  return fc.tuple(text, fc.array(damage, { minLength: 1, maxLength: 4 })).map(([whole, damages]) => {
    let out = whole;
    for (const { kind, at, length, bytes } of damages) {
      const from = Math.floor(at * out.length);
      const piece = out.subarray(from, from + length);
      const [before, after] = [out.subarray(0, from), out.subarray(from + piece.length)];
      if (kind === 'flip') out = Buffer.concat([before, Buffer.from(piece.map((b) => b ^ (1 << (length % 8)))), after]);
      else if (kind === 'cut') out = Buffer.concat([before, after]);
      else if (kind === 'repeat') out = Buffer.concat([before, piece, piece, after]);
      else if (kind === 'insert') out = Buffer.concat([before, bytes, piece, after]);
      else out = Buffer.concat([after, piece, before]);
    }
    return out;
  });
}

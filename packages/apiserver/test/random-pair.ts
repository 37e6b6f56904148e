import { builtinSchemas } from '@skiff/api';
import type { FieldSchema, Json, JsonObject, TypeSchema } from '@skiff/apimachinery';
import fc from 'fast-check';
import { leftOut, scalars } from './arbitrary-object.ts';

/** Between 0 and 1; the same row for the same seed. */
type Random = () => number;
function randomOf(seed: number): Random {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Few values of each sort: objects shall have much in common. */
const samples = Object.fromEntries(
  Object.entries(scalars).map(([name, values]) => [name, [...new Set(fc.sample(values, { seed: 1, numRuns: 12 }))]]),
);
const names = ['a', 'b', 'web', 'x-1'];
const pick = <T>(random: Random, from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
const isMerged = (field: FieldSchema): boolean =>
  field.patchStrategy !== undefined || (field.type.kind === 'list' && (field.type.listType ?? 'atomic') !== 'atomic');

function fieldsOf(type: TypeSchema): readonly FieldSchema[] {
  const fields = type.kind === 'struct' ? (builtinSchemas.struct(type.name)?.fields ?? []) : [];
  return fields.filter((f) => !leftOut.has(f.name));
}

function randomValue(type: TypeSchema, depth: number, random: Random): Json | undefined {
  switch (type.kind) {
    case 'scalar':
      return type.enum !== undefined && type.enum.length > 0 ? pick(random, type.enum) : pick(random, samples[type.scalar] ?? [undefined]);
    case 'schemaOr':
      return undefined;
    case 'list': {
      const items = Array.from({ length: Math.floor(random() * 4) }, () => randomValue(type.items, depth - 1, random));
      return items.filter((item) => item !== undefined);
    }
    case 'map': {
      const out: JsonObject = {};
      for (const name of names) if (random() < 0.4) out[name] = randomValue(type.values, depth - 1, random);
      return out;
    }
    case 'struct': {
      if (depth <= 0) return undefined;
      const fields = fieldsOf(type);
      const out: JsonObject = {};
      for (const field of fields) {
        const likely = field.required ? 1 : Math.min(0.5, (isMerged(field) ? 6 : 3) / fields.length);
        if (random() < likely) out[field.name] = randomValue(field.type, depth - 1, random);
      }
      return out;
    }
  }
}

/** The value with some of it changed, moved, gone or new. */
function edited(type: TypeSchema, value: Json, depth: number, random: Random): Json | undefined {
  if (type.kind === 'list' && Array.isArray(value)) {
    const items = value.filter(() => random() < 0.8).map((item) => (random() < 0.4 ? edited(type.items, item, depth - 1, random) : item));
    if (random() < 0.3) items.splice(Math.floor(random() * 3), 0, randomValue(type.items, depth - 1, random));
    if (random() < 0.3) items.reverse();
    return items.filter((item) => item !== undefined);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return random() < 0.3 ? randomValue(type, depth, random) : value;
  const out: JsonObject = {};
  const fields = new Map(fieldsOf(type).map((field) => [field.name, field.type]));
  for (const [name, part] of Object.entries(value)) {
    const inner = type.kind === 'map' ? type.values : fields.get(name);
    if (inner === undefined || random() < 0.1) continue;
    out[name] = random() < 0.7 ? edited(inner, part!, depth - 1, random) : part;
  }
  for (const [name, inner] of fields)
    if (out[name] === undefined && random() < 1 / fields.size) out[name] = randomValue(inner, depth - 1, random);
  return out;
}

const maxDepth = 9;

/** Two objects of a struct, the second made of the first: what the structure allows, whatever validation says of it. */
export function randomPair(schemaName: string, seed: number): [JsonObject, JsonObject] {
  const type: TypeSchema = { kind: 'struct', name: schemaName };
  const random = randomOf(seed);
  const first = randomValue(type, maxDepth, random) as JsonObject;
  return [first, edited(type, structuredClone(first), maxDepth, random) as JsonObject];
}

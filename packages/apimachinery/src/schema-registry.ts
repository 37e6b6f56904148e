import type { FieldSchema, ScalarName, SchemaRegistry, StructSchema, TypeSchema } from './schema.ts';

interface FieldExtras {
  /** goName, default, listType, mapKeys, mapType, structType, patchStrategy, patchMergeKey, enum, inlineNames */
  g?: string;
  d?: unknown;
  l?: 'atomic' | 'set' | 'map';
  k?: string[];
  m?: 'atomic' | 'granular';
  t?: 'atomic' | 'granular';
  s?: ('merge' | 'replace' | 'retainKeys')[];
  y?: string;
  e?: string[];
  i?: string[];
}
type FieldRow = readonly [name: string, type: string, flags: string, number: number | number[], extras?: FieldExtras];
interface StructHead {
  g: string;
  p: string;
  t?: 'atomic' | 'granular';
  k?: [group: string, version: string, kind: string];
}

const noExtras: FieldExtras = {};

function parseType(text: string, x: FieldExtras): TypeSchema {
  if (text.startsWith('#')) return { kind: 'struct', name: text.slice(1) };
  if (text.startsWith('|')) {
    const hash = text.indexOf('#');
    return { kind: 'schemaOr', or: text.slice(1, hash) as 'Array' | 'Bool' | 'StringArray', name: text.slice(hash + 1) };
  }
  if (text.startsWith('[]') || text.startsWith('{}')) {
    const close = text[2] === '(' ? text.indexOf(')') : 1;
    const goType = close > 1 ? { goType: text.slice(3, close) } : {};
    const element = parseType(text.slice(close + 1), x.e === undefined ? noExtras : { e: x.e });
    if (text.startsWith('{}')) return { kind: 'map', values: element, ...goType, ...(x.m === undefined ? {} : { mapType: x.m }) };
    return {
      kind: 'list',
      items: element,
      ...goType,
      ...(x.l === undefined ? {} : { listType: x.l }),
      ...(x.k === undefined ? {} : { mapKeys: x.k }),
    };
  }
  const open = text.indexOf('(');
  const scalar = (open < 0 ? text : text.slice(0, open)) as ScalarName;
  return { kind: 'scalar', scalar, ...(open < 0 ? {} : { goType: text.slice(open + 1, -1) }), ...(x.e === undefined ? {} : { enum: x.e }) };
}

function parseField([name, type, flags, number, x = noExtras]: FieldRow): FieldSchema {
  const numbers = Array.isArray(number)
    ? { number: number[number.length - 1]!, inline: number.slice(0, -1) }
    : number === 0
      ? {}
      : { number };
  return {
    name,
    goName: x.g ?? name.charAt(0).toUpperCase() + name.slice(1),
    type: parseType(type, x),
    required: flags.includes('r'),
    omit: flags.includes('e') ? 'empty' : flags.includes('z') ? 'zero' : 'never',
    pointer: flags.includes('p'),
    ...(x.d === undefined ? {} : { default: x.d }),
    ...(x.s === undefined ? {} : { patchStrategy: x.s }),
    ...(x.y === undefined ? {} : { patchMergeKey: x.y }),
    ...(x.t === undefined ? {} : { structType: x.t }),
    ...(x.i === undefined ? {} : { inlineNames: x.i }),
    ...numbers,
  };
}

function parseStruct(name: string, text: string): StructSchema {
  const [head, ...rows] = JSON.parse(text) as [StructHead, ...FieldRow[]];
  return {
    name,
    goName: head.g,
    goPackage: head.p,
    fields: rows.map(parseField),
    ...(head.t === undefined ? {} : { structType: head.t }),
    ...(head.k === undefined ? {} : { groupVersionKind: { group: head.k[0], version: head.k[1], kind: head.k[2] } }),
  };
}

/** Fields of a struct by JSON name, built once per struct. */
const fieldIndexes = new WeakMap<StructSchema, ReadonlyMap<string, FieldSchema>>();
export function fieldIndex(struct: StructSchema): ReadonlyMap<string, FieldSchema> {
  let index = fieldIndexes.get(struct);
  if (index === undefined) {
    index = new Map(struct.fields.map((f) => [f.name, f]));
    fieldIndexes.set(struct, index);
  }
  return index;
}

/**
 * Reads the compact text that scripts/generate-api writes: one line a struct, `name<TAB>JSON`. Splitting is all that happens at
 * first use; a struct's JSON is parsed when that struct is asked for.
 */
export function createSchemaRegistry(data: string | (() => string)): SchemaRegistry {
  let lines: Map<string, string> | undefined;
  const parsed = new Map<string, StructSchema>();
  const index = (): Map<string, string> => {
    if (lines === undefined) {
      lines = new Map();
      for (const line of (typeof data === 'string' ? data : data()).split('\n')) {
        const tab = line.indexOf('\t');
        lines.set(line.slice(0, tab), line.slice(tab + 1));
      }
    }
    return lines;
  };
  return {
    struct(name) {
      const known = parsed.get(name);
      if (known !== undefined) return known;
      const line = index().get(name);
      if (line === undefined) return undefined;
      const struct = parseStruct(name, line);
      parsed.set(name, struct);
      return struct;
    },
    field: (struct, jsonName) => fieldIndex(struct).get(jsonName),
    names: () => index().keys(),
  };
}

import type { Json, JsonObject, SchemaRegistry, TypeSchema } from '@skiff/apimachinery';

/** One change of one place of an object. */
export interface Mutation {
  /** `spec.ports[0].port` */
  readonly path: string;
  readonly what: string;
  readonly object: JsonObject;
}

type Step = string | number;

const textOf = (path: readonly Step[]): string => path.map((s, i) => (typeof s === 'number' ? `[${s}]` : i === 0 ? s : `.${s}`)).join('');
/** Of an array or object; undefined for scalars and what is absent. */
const at = (value: Json | undefined, step: Step): Json | undefined =>
  typeof value === 'object' && value !== null ? (value as Record<Step, Json>)[step] : undefined;

/** A copy with `value` at `path`; undefined takes it out. */
function replaced(object: Json, [step, ...rest]: readonly Step[], value: Json | undefined): Json {
  if (step === undefined) return value ?? null;
  const copy = (Array.isArray(object) ? [...object] : { ...(object as JsonObject) }) as Record<Step, Json>;
  if (rest.length > 0) copy[step] = replaced(at(object, step) ?? null, rest, value);
  else if (value !== undefined) copy[step] = value;
  else if (Array.isArray(copy)) copy.splice(step as number, 1);
  else delete copy[step];
  return copy as unknown as Json;
}

const wrongly = (value: Json): readonly (readonly [string, Json | undefined])[] => {
  if (typeof value === 'string') {
    return [
      ['a number', 7],
      ['empty', ''],
      ['very long', 'a'.repeat(300)],
      ['odd letters', 'Bad_Value!'],
      ['spaces', ' a b '],
      ['another', /^\d/.test(value) ? '77' : `${value}x`],
      ['path', '../..'],
      ['negative quantity', '-1'],
    ];
  }
  if (typeof value === 'number') {
    return [
      ['a string', 'x'],
      ['zero', 0],
      ['negative', -1],
      ['large', 70_000],
      ['too large', 2 ** 40],
      ['fraction', 1.5],
      ['another', value + 1],
    ];
  }
  if (typeof value === 'boolean') {
    return [
      ['a string', 'true'],
      ['another', !value],
    ];
  }
  if (Array.isArray(value)) {
    return [
      ['an object', {}],
      ['empty', []],
      ['twice', [...value, ...value]],
      ['of null', [null]],
      ['of an empty object', [...value, {}]],
      ['reversed', value.toReversed()],
    ];
  }
  return [
    ['a list', []],
    ['empty', {}],
    ['a string', 'x'],
    ['with odd keys', { ...(value as JsonObject), 'Bad Key!': 'x' }],
  ];
};

const samples = (type: TypeSchema): Json[] => {
  switch (type.kind) {
    case 'list':
      return [[], samples(type.items).slice(0, 1)];
    case 'map':
      return [{}, { k: samples(type.values)[0] ?? null }];
    case 'struct':
    case 'schemaOr':
      return [{}];
    case 'scalar':
      switch (type.scalar) {
        case 'boolean':
          return [true, false];
        case 'int32':
        case 'int64':
          return [1, -1];
        case 'float64':
          return [1.5];
        case 'quantity':
          return ['1', '-1'];
        case 'intOrString':
          return [1, '50%', 'x'];
        case 'time':
          return ['2026-01-01T00:00:00Z'];
        case 'microTime':
          return ['2026-01-01T00:00:00.000000Z'];
        case 'duration':
          return ['5s'];
        case 'bytes':
          return ['YQ=='];
        case 'raw':
        case 'json':
        case 'fieldsV1':
          return [{ a: 'b' }];
        case 'string':
          return ['x', ...(type.enum ?? []).slice(0, 5)];
      }
  }
};

const systemMetadata: ReadonlySet<string> = new Set(['resourceVersion', 'uid', 'creationTimestamp', 'managedFields', 'selfLink']);

/**
 * Every place of `object`, wrong in each way, taken away, and null; and every field that its schema has and it has not.
 * `from`: only below this field.
 */
export function* mutationsOf(object: JsonObject, schema: SchemaRegistry, typeName: string, from?: string): Generator<Mutation> {
  const change = (path: readonly Step[], what: string, value: Json | undefined): Mutation => ({
    path: textOf(path),
    what,
    object: replaced(object, path, value) as JsonObject,
  });
  function* visit(path: readonly Step[], value: Json, type: TypeSchema | undefined): Generator<Mutation> {
    if (path.length > 0) {
      yield change(path, 'absent', undefined);
      yield change(path, 'null', null);
      for (const [what, wrong] of wrongly(value)) yield change(path, what, wrong);
    }
    if (Array.isArray(value)) {
      for (const [i, item] of value.entries()) yield* visit([...path, i], item, type?.kind === 'list' ? type.items : undefined);
      return;
    }
    if (typeof value !== 'object' || value === null) return;
    const struct = type?.kind === 'struct' ? schema.struct(type.name) : undefined;
    for (const [key, child] of Object.entries(value)) {
      if (path.length === 0 && (key === 'apiVersion' || key === 'kind')) continue;
      if (path.length === 0 && from !== undefined && key !== from) continue;
      if (path.length === 1 && path[0] === 'metadata' && systemMetadata.has(key)) continue;
      const field = struct === undefined ? undefined : schema.field(struct, key);
      yield* visit([...path, key], child as Json, type?.kind === 'map' ? type.values : field?.type);
    }
    for (const field of struct?.fields ?? []) {
      if (field.name in value || (path.length === 0 && (from !== undefined || field.name === 'kind' || field.name === 'apiVersion')))
        continue;
      if (path[0] === 'metadata' && systemMetadata.has(field.name)) continue;
      for (const [i, sample] of samples(field.type).entries()) yield change([...path, field.name], `new ${i}`, sample);
    }
    yield change([...path, 'unknownField'], 'unknown', 'x');
  }
  yield* visit([], object, { kind: 'struct', name: typeName });
}

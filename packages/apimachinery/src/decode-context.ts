import type { FieldSchema } from './schema.ts';

/** The body is JSON but not of this type: a 400 whose message is Go's. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError';
}

/** What a decoder carries along. The path holds fields, list indices and map keys; it is turned into text only for complaints. */
export interface DecodeContext {
  readonly path: (FieldSchema | string | number)[];
  /** Go name of the innermost struct. */
  struct: string;
  /** Go's decoder goes on after a type error and reports the first. */
  firstError: DecodeError | undefined;
  /** Paths of fields that the type does not have, in the order of the text. */
  readonly unknown: string[];
  /** Paths below which free JSON begins: duplicate keys inside are not reported. */
  readonly free: string[] | undefined;
  /**
   * Strategic merge patches are not decoded from JSON: upstream restores the object from the patched map, which complains in words of
   * its own, and at once.
   */
  readonly restores: boolean;
}

export const newDecodeContext = (recordFree: boolean, restores = false): DecodeContext => ({
  restores,
  path: [],
  struct: '',
  firstError: undefined,
  unknown: [],
  free: recordFree ? [] : undefined,
});

/** `spec.containers[0].name`, as strict decoding names places. */
export function fieldPath(c: DecodeContext, last?: string): string {
  let text = '';
  for (const part of last === undefined ? c.path : [...c.path, last]) {
    if (typeof part === 'number') text += `[${part}]`;
    else text += `${text === '' ? '' : '.'}${typeof part === 'string' ? part : part.name}`;
  }
  return text;
}

/** `spec.containers.livenessProbe.ProbeHandler.httpGet`: Go's decoder names embedded structs, but no indices and no map keys. */
function goFieldPath(c: DecodeContext): string {
  const names: string[] = [];
  for (const part of c.path) {
    if (typeof part !== 'object') continue;
    if (part.inlineNames !== undefined) names.push(...part.inlineNames);
    names.push(part.name);
  }
  return names.join('.');
}

function wordFor(value: unknown, numeric: boolean): string {
  switch (typeof value) {
    case 'string':
      return 'string';
    case 'boolean':
      return 'bool';
    case 'number':
    case 'bigint':
      return numeric ? `number ${value}` : 'number';
    default:
      return Array.isArray(value) ? 'array' : 'object';
  }
}

/** `json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32`. */
export function goTypeError(c: DecodeContext, value: unknown, goType: string, numeric = false): DecodeError {
  const field = c.restores ? '' : goFieldPath(c);
  const place = c.restores ? 'Go value' : c.struct === '' && field === '' ? 'Go value' : `Go struct field ${c.struct}.${field}`;
  return new DecodeError(`json: cannot unmarshal ${wordFor(value, numeric)} into ${place} of type ${goType}`);
}

const restoredKind = (value: unknown): string =>
  typeof value === 'boolean'
    ? 'bool'
    : typeof value === 'string'
      ? 'string'
      : Array.isArray(value)
        ? 'slice'
        : typeof value === 'object'
          ? 'map'
          : Number.isInteger(value) || typeof value === 'bigint'
            ? 'int64'
            : 'float64';

export interface TypeErrorOptions {
  /** The Go type is a number: the error tells the literal. */
  readonly numeric?: boolean;
  /** What is to be made, where it is no scalar. */
  readonly shape?: 'struct' | 'slice' | 'map';
}

/** Notes a type error and lets the decoder go on. */
export function saveTypeError(c: DecodeContext, value: unknown, goType: string, o: TypeErrorOptions = {}): void {
  if (c.restores) {
    const from = restoredKind(value);
    if (o.shape === undefined) throw new DecodeError(`cannot convert ${from} to ${goType}`);
    throw new DecodeError(`cannot restore ${o.shape} from${o.shape === 'struct' ? ':' : ''} ${from}`);
  }
  c.firstError ??= goTypeError(c, value, goType, o.numeric);
}

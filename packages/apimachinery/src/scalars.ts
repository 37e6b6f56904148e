import { DecodeError, goTypeError, saveTypeError, type DecodeContext } from './decode-context.ts';
import { formatDuration, parseDuration } from './duration.ts';
import type { Json } from './object.ts';
import { canonicalQuantity } from './quantity.ts';
import type { ScalarName } from './schema.ts';
import { canonicalMicroTime, canonicalTime } from './time.ts';

/**
 * A scalar as Go sees it. `decode` gets anything but null and returns the canonical value; on a type error it notes it and returns
 * the zero value. `zero` is the JSON of Go's zero value; `structural`: Go's omitempty never omits it, since it is a struct in Go.
 */
export interface ScalarCodec {
  readonly goType: string;
  readonly zero: Json;
  readonly structural: boolean;
  decode(value: Json, c: DecodeContext, goType: string): Json;
}

/** Go types with an UnmarshalJSON of their own stop the decoder at once. */
function orThrow<T>(convert: () => T): T {
  try {
    return convert();
  } catch (e) {
    throw new DecodeError((e as Error).message);
  }
}

function canonicalBase64(value: string): string {
  if (value.length % 4 === 0 && /^[A-Za-z0-9+/]*(?:[AEIMQUYcgkosw048]=|[AQgw]==)?$/.test(value)) return value;
  const bad = corruptBase64(value);
  if (bad !== undefined) throw new DecodeError(`illegal base64 data at input byte ${bad}`);
  return Buffer.from(value.replace(/[\r\n]/g, ''), 'base64').toString('base64');
}

/** Where Go's decoder stops at something that is no base64: groups of four letters, the last one padded, line breaks anywhere. */
function corruptBase64(text: string): number | undefined {
  let inGroup = 0;
  const afterBreaks = (at: number): number => {
    let i = at;
    while (text[i] === '\r' || text[i] === '\n') i++;
    return i;
  };
  for (let i = afterBreaks(0); i < text.length; i = afterBreaks(i + 1)) {
    if (/[A-Za-z0-9+/]/.test(text[i] ?? '')) {
      inGroup = (inGroup + 1) % 4;
      continue;
    }
    if (text[i] !== '=' || inGroup < 2) return i;
    let end = afterBreaks(i + 1);
    if (inGroup === 2) {
      if (end === text.length) return end;
      if (text[end] !== '=') return end - 1;
      end = afterBreaks(end + 1);
    }
    return end < text.length ? end : undefined;
  }
  return inGroup === 0 ? undefined : text.length - inGroup;
}

const integer =
  (low: number, high: number) =>
  (value: Json, c: DecodeContext, goType: string): Json => {
    if (typeof value === 'number' && Number.isInteger(value) && value >= low && value <= high) return value === 0 ? 0 : value;
    if (typeof value === 'bigint' && high > 2 ** 40 && BigInt.asIntN(64, value) === value) return value;
    saveTypeError(c, value, goType, { numeric: true });
    return 0;
  };

const text = (convert: (value: string) => string, zero: Json): Omit<ScalarCodec, 'goType'> => ({
  zero,
  structural: true,
  decode(value, c) {
    if (typeof value !== 'string') throw goTypeError(c, value, 'string');
    return orThrow(() => convert(value));
  },
});

const free = (goType: string): ScalarCodec => ({ goType, zero: null, structural: true, decode: (value) => value });

export const scalarCodecs: Readonly<Record<ScalarName, ScalarCodec>> = {
  string: {
    goType: 'string',
    zero: '',
    structural: false,
    decode(value, c, goType) {
      if (typeof value === 'string') return value;
      saveTypeError(c, value, goType);
      return '';
    },
  },
  boolean: {
    goType: 'bool',
    zero: false,
    structural: false,
    decode(value, c, goType) {
      if (typeof value === 'boolean') return value;
      saveTypeError(c, value, goType);
      return false;
    },
  },
  int32: { goType: 'int32', zero: 0, structural: false, decode: integer(-(2 ** 31), 2 ** 31 - 1) },
  int64: { goType: 'int64', zero: 0, structural: false, decode: integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER) },
  float64: {
    goType: 'float64',
    zero: 0,
    structural: false,
    decode(value, c, goType) {
      if (typeof value === 'number' && Number.isFinite(value)) return value;
      if (typeof value === 'bigint') return Number(value);
      saveTypeError(c, value, goType, { numeric: true });
      return 0;
    },
  },
  bytes: {
    goType: '[]uint8',
    zero: null,
    structural: false,
    decode(value, c, goType) {
      if (typeof value === 'string') return orThrow(() => canonicalBase64(value));
      saveTypeError(c, value, goType);
      return null;
    },
  },
  time: { goType: 'v1.Time', ...text(canonicalTime, null) },
  microTime: { goType: 'v1.MicroTime', ...text(canonicalMicroTime, null) },
  duration: { goType: 'v1.Duration', ...text((value) => formatDuration(parseDuration(value)), '0s') },
  quantity: {
    goType: 'resource.Quantity',
    zero: '0',
    structural: true,
    // Anything's text is tried, as upstream strips quotes from the raw JSON and parses what is left.
    decode: (value) => orThrow(() => canonicalQuantity(typeof value === 'object' ? '?' : String(value).trim())),
  },
  intOrString: {
    goType: 'intstr.IntOrString',
    zero: 0,
    structural: true,
    decode(value, c) {
      if (typeof value === 'string') return value;
      if (typeof value === 'number' && Number.isInteger(value) && Math.abs(value) <= 2 ** 31 - 1) return value;
      throw goTypeError(c, value, 'int32', true);
    },
  },
  raw: free('runtime.RawExtension'),
  json: free('v1.JSON'),
  fieldsV1: free('v1.FieldsV1'),
};

/** `'%s has %d'.format([…])`. Numbers come out as in American English. */

import type { CallContext } from '../environment.ts';
import { standardFunctions } from '../standard.ts';
import { type CelType, stringType } from '../types.ts';
import { typeOfValue } from '../type-of-value.ts';
import { typeName } from '../types.ts';
import { CelError, CelList, CelMap, Duration, Timestamp, TypeValue, Uint, type Value } from '../values.ts';

const free = { charge: () => undefined, work: () => undefined };
const runtimeName = (v: Value): string => typeName(typeOfValue(v));
const refused = (clause: string, v: Value): CelError => new CelError(`error during formatting: ${clause}, was given ${runtimeName(v)}`);
const maxPrecision = 100;

type Clause = (v: Value) => string | CelError;

function toText(v: Value): string | undefined {
  const t: CelType = typeOfValue(v);
  const conversion = standardFunctions.get('string')!.overloads.find((o) => o.args[0]!.kind === t.kind && o.result === stringType);
  const text = conversion?.run([v], free);
  return typeof text === 'string' ? text : undefined;
}

const asText: Clause = (v) => {
  if (v === null) return 'null';
  if (v instanceof CelList) return listText(v);
  if (v instanceof CelMap && v.typeName === undefined) return mapText(v);
  if (v instanceof TypeValue) return v.name;
  const text = toText(v);
  return (
    text ??
    refused('string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps', v)
  );
};

/** An element of a list or map, written as CEL would have it. */
function literalText(v: Value): string | CelError {
  if (typeof v === 'string') return JSON.stringify(v);
  if (v instanceof Uint8Array) return `b${JSON.stringify(toText(v) ?? '')}`;
  if (typeof v === 'number') return Number.isFinite(v) ? v.toFixed(6) : `"${Number.isNaN(v) ? 'NaN' : v > 0 ? '+Inf' : '-Inf'}"`;
  if (v instanceof Timestamp) return `timestamp(${JSON.stringify(toText(v))})`;
  if (v instanceof Duration) return `duration(${JSON.stringify(toText(v))})`;
  return v instanceof TypeValue ? `type(${v.name})` : asText(v);
}
function listText(list: CelList): string | CelError {
  const parts: string[] = [];
  for (const v of list.values()) {
    const text = literalText(v);
    if (text instanceof CelError) return text;
    parts.push(text);
  }
  return `[${parts.join(', ')}]`;
}
function mapText(map: CelMap): string | CelError {
  const parts: (readonly [string, string])[] = [];
  for (const key of map.keys()) {
    const k = literalText(key);
    const v = literalText(map.find(key) ?? null);
    if (k instanceof CelError) return k;
    if (v instanceof CelError) return v;
    parts.push([k, v]);
  }
  parts.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${parts.map(([k, v]) => `${k}:${v}`).join(', ')}}`;
}

const integer = (v: Value): bigint | undefined => (typeof v === 'bigint' ? v : v instanceof Uint ? v.value : undefined);
const inBase =
  (base: number, clause: string, bool = false): Clause =>
  (v) => {
    if (bool && typeof v === 'boolean') return v ? '1' : '0';
    const n = integer(v);
    return n === undefined ? refused(clause, v) : n.toString(base);
  };
const asHex =
  (upper: boolean): Clause =>
  (v) => {
    const n = integer(v);
    const bytes = typeof v === 'string' ? Buffer.from(v) : v instanceof Uint8Array ? Buffer.from(v) : undefined;
    const text = n?.toString(16) ?? bytes?.toString('hex');
    if (text === undefined) return refused('only integers, byte buffers, and strings can be formatted as hex', v);
    return upper ? text.toUpperCase() : text;
  };

function float(v: Value): number | undefined {
  if (typeof v === 'number') return v;
  return v === 'NaN' ? Number.NaN : v === 'Infinity' ? Infinity : v === '-Infinity' ? -Infinity : undefined;
}
const special = (n: number): string => (Number.isNaN(n) ? 'NaN' : n > 0 ? '∞' : '-∞');
/** Exact halves go to the even digit, as in Go. */
function toFixedEven(n: number, precision: number): string {
  const rounded = n.toFixed(precision);
  const exact = n.toFixed(Math.min(100, precision + 40));
  const cut = exact.length - (Math.min(100, precision + 40) - precision);
  if (!/^50*$/.test(exact.slice(cut))) return rounded;
  const down = exact.slice(0, precision === 0 ? cut - 1 : cut);
  return Number(down.at(-1)) % 2 === 0 ? down : rounded;
}
const asFixed =
  (precision: number): Clause =>
  (v) => {
    const n = float(v);
    if (n === undefined) return refused('fixed-point clause can only be used on doubles', v);
    if (!Number.isFinite(n)) return special(n);
    const [whole, decimals] = toFixedEven(n, precision).split('.') as [string, string?];
    const grouped = Math.abs(n) < 1e21 ? whole.replace(/\B(?=(\d{3})+$)/g, ',') : whole;
    return decimals === undefined ? grouped : `${grouped}.${decimals}`;
  };
const superscripts = '⁰¹²³⁴⁵⁶⁷⁸⁹';
const asScientific =
  (precision: number): Clause =>
  (v) => {
    const n = float(v);
    if (n === undefined) return refused('scientific clause can only be used on doubles', v);
    if (!Number.isFinite(n)) return special(n);
    // Zero has six decimals whatever is asked for.
    const [mantissa, exponent] = n.toExponential(n === 0 ? 6 : precision).split('e') as [string, string];
    const digits = exponent
      .slice(1)
      .padStart(2, '0')
      .replace(/\d/g, (d) => superscripts[Number(d)]!);
    return `${mantissa}×10${exponent.startsWith('-') ? '⁻' : ''}${digits}`;
  };

const numbers = ['int', 'uint'];
/** What each clause takes, and how it says that it was given something else. */
const clauses: Readonly<Record<string, { readonly takes: readonly string[]; readonly complaint: string }>> = {
  s: {
    takes: [...numbers, 'string', 'bool', 'bytes', 'double', 'map', 'list', 'type', 'duration', 'timestamp', 'null'],
    complaint: 'string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps',
  },
  d: { takes: numbers, complaint: 'decimal clause can only be used on integers' },
  f: { takes: ['double'], complaint: 'fixed-point clause can only be used on doubles' },
  e: { takes: ['double'], complaint: 'scientific clause can only be used on doubles' },
  b: { takes: [...numbers, 'bool'], complaint: 'only integers and bools can be formatted as binary' },
  x: { takes: [...numbers, 'string', 'bytes'], complaint: 'only integers, byte buffers, and strings can be formatted as hex' },
  X: { takes: [...numbers, 'string', 'bytes'], complaint: 'only integers, byte buffers, and strings can be formatted as hex' },
  o: { takes: numbers, complaint: 'octal clause can only be used on integers' },
};

/** What is wrong with a format for arguments of these types; `argument`: the one that it is about. */
export function checkFormat(
  format: string,
  types: readonly CelType[],
): { readonly message: string; readonly argument?: number } | undefined {
  let index = 0;
  for (const [all, letter] of format.matchAll(/%(?:%|(?:\.\d+)?(.)?)/gs)) {
    if (all === '%%') continue;
    const t = types[index];
    if (t === undefined) return { message: `index ${index} out of range` };
    if (letter === undefined) return { message: 'unexpected end of string' };
    const clause = Object.hasOwn(clauses, letter) ? clauses[letter] : undefined;
    if (clause === undefined) return { message: `could not parse formatting clause: unrecognized formatting clause "${letter}"` };
    const open = t.kind === 'dyn' || t.kind === 'any' || t.kind === 'param' || t.kind === 'error';
    if (!open && !clause.takes.includes(t.kind)) {
      return { message: `error during formatting: ${clause.complaint}, was given ${typeName(t)}`, argument: index };
    }
    index++;
  }
  if (index >= types.length) return undefined;
  return { message: `too many arguments supplied to string.format (expected ${index}, got ${types.length})` };
}

function clauseOf(letter: string, precision: number): Clause | undefined {
  switch (letter) {
    case 's':
      return asText;
    case 'd':
      return inBase(10, 'decimal clause can only be used on integers');
    case 'f':
      return asFixed(precision);
    case 'e':
      return asScientific(precision);
    case 'b':
      return inBase(2, 'only integers and bools can be formatted as binary', true);
    case 'x':
    case 'X':
      return asHex(letter === 'X');
    case 'o':
      return inBase(8, 'octal clause can only be used on integers');
    default:
      return undefined;
  }
}

/** Ten for each element that the text will show: making it is more work than looking at it. */
function weigh(v: Value, context: CallContext): void {
  context.work(10);
  if (v instanceof CelList) for (let i = 0; i < v.size; i++) weigh(v.at(i), context);
  else if (v instanceof CelMap) for (const key of v.keys()) weigh(v.find(key) ?? null, context);
}

/** The text, or an error that says which clause is wrong. */
export function formatText(format: string, args: CelList, context: CallContext): string | CelError {
  weigh(args, context);
  const parts: string[] = [];
  let index = 0;
  for (let i = 0; i < format.length; ) {
    const next = format.indexOf('%', i);
    if (next < 0) {
      parts.push(format.slice(i));
      break;
    }
    parts.push(format.slice(i, next));
    if (format[next + 1] === '%') {
      parts.push('%');
      i = next + 2;
      continue;
    }
    if (index >= args.size) return new CelError(`index ${index} out of range`);
    if (next + 1 >= format.length) return new CelError('unexpected end of string');
    const m = /^(?:\.(\d*))?(.)?/s.exec(format.slice(next + 1, next + 40))!;
    const precision = m[1] === undefined ? 6 : Number(m[1]);
    if (m[2] === undefined || m[1] === '' || precision > maxPrecision) {
      return new CelError('could not parse formatting clause: error while parsing precision: could not find end of precision specifier');
    }
    const clause = clauseOf(m[2], precision);
    if (clause === undefined) return new CelError(`could not parse formatting clause: unrecognized formatting clause "${m[2]}"`);
    const text = clause(args.at(index++));
    if (text instanceof CelError) return text;
    parts.push(text);
    i = next + 1 + m[0].length;
  }
  return parts.join('');
}

import { declare, type Run } from '../declare.ts';
import type { CallContext, FunctionDeclaration } from '../environment.ts';
import { dynType, intType, listOf, stringType } from '../types.ts';
import { ArrayList, CelError, type CelList, codePoints, type Value } from '../values.ts';
import { formatText } from './format-text.ts';

/** A text as an array of its characters, unless each is one unit anyway. */
const characters = (text: string): string | string[] => (codePoints(text) === text.length ? text : Array.from(text));
const joined = (chars: string | readonly string[]): string => (typeof chars === 'string' ? chars : chars.join(''));
const outOfRange = (i: bigint): CelError => new CelError(`index out of range: ${i}`);

const charAt: Run = ([text, index]) => {
  const chars = characters(text as string);
  const i = index as bigint;
  if (i < 0n || i > BigInt(chars.length)) return outOfRange(i);
  return chars[Number(i)] ?? '';
};

/** Where a part stands, counted in characters. */
const indexOf =
  (last: boolean): Run =>
  ([text, part, offset]) => {
    const [s, p] = [text as string, part as string];
    const from = offset as bigint | undefined;
    const size = codePoints(s);
    if (p === '') return from ?? (last ? BigInt(size) : 0n);
    if (from !== undefined && from < 0n) return outOfRange(from);
    if (from !== undefined && from >= BigInt(size)) return -1n;
    const units = (n: number): number => (size === s.length ? n : Array.from(s).slice(0, n).join('').length);
    const start = from === undefined ? (last ? Infinity : 0) : units(Number(from));
    const found = last ? s.lastIndexOf(p, start) : s.indexOf(p, start);
    return found < 0 ? -1n : BigInt(codePoints(s.slice(0, found)));
  };

const ascii =
  (from: RegExp, change: (c: string) => string): Run =>
  ([s]) =>
    (s as string).replace(from, change);

const longText = 100_000;
/** Results that may be far longer than what they are made of are paid for before they are made. */
function payFor(length: number, context: CallContext): void {
  if (length > longText) context.charge(length * 0.1);
}

const replace: Run = ([text, before, after, limit], context) => {
  const [s, old, by] = [text as string, before as string, after as string];
  const most = limit === undefined || (limit as bigint) < 0n ? Infinity : Number(limit as bigint);
  if (most === 0 || old === by) return s;
  const pieces = old === '' ? splitCharacters(s, most) : splitUpTo(s, old, most + 1);
  payFor(s.length + pieces.length * by.length, context);
  return pieces.join(by);
};
/** The empty text stands before each character and at the end: `most` of these places count. */
function splitCharacters(s: string, most: number): string[] {
  const chars = Array.from(s);
  if (most > chars.length) return ['', ...chars, ''];
  return ['', ...chars.slice(0, most - 1), chars.slice(most - 1).join('')];
}
/** At most `most` pieces; the last has the rest. */
function splitUpTo(s: string, separator: string, most: number): string[] {
  if (most === Infinity) return separator === '' ? Array.from(s) : s.split(separator);
  if (separator === '') {
    const chars = Array.from(s);
    return chars.length <= most ? chars : [...chars.slice(0, most - 1), chars.slice(most - 1).join('')];
  }
  const pieces: string[] = [];
  let from = 0;
  while (pieces.length < most - 1) {
    const at = s.indexOf(separator, from);
    if (at < 0) break;
    pieces.push(s.slice(from, at));
    from = at + separator.length;
  }
  pieces.push(s.slice(from));
  return pieces;
}

const split: Run = ([text, separator, limit]) => {
  const n = limit as bigint | undefined;
  if (n === 0n) return new ArrayList([]);
  return new ArrayList(splitUpTo(text as string, separator as string, n === undefined || n < 0n ? Infinity : Number(n)));
};

const substring: Run = ([text, start, end]) => {
  const chars = characters(text as string);
  const size = BigInt(chars.length);
  const [from, to] = [start as bigint, (end as bigint | undefined) ?? size];
  if (end === undefined && (from < 0n || from > size)) return outOfRange(from);
  if (from > to) return new CelError(`invalid substring range. start: ${from}, end: ${to}`);
  if (from < 0n || from > size) return outOfRange(from);
  if (to < 0n || to > size) return outOfRange(to);
  return joined(chars.slice(Number(from), Number(to)));
};

const join: Run = ([list, separator], context) => {
  const texts: string[] = [];
  let length = 0;
  for (const v of (list as CelList).values()) {
    if (typeof v !== 'string') return new CelError(`join: invalid input: ${String(v)}`);
    length += v.length + ((separator as string | undefined)?.length ?? 0);
    payFor(length - longText > 0 && texts.length % 1000 === 0 ? length : 0, context);
    texts.push(v);
  }
  payFor(length, context);
  return texts.join((separator as string | undefined) ?? '');
};

const escapes: Readonly<Record<string, string>> = {
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
  '"': '\\"',
};
// oxlint-disable-next-line no-control-regex
const quoted = (s: string): string => `"${s.replace(/[\x07\b\f\n\r\t\v\\"]/g, (c) => escapes[c]!)}"`;

export const stringFunctions: readonly FunctionDeclaration[] = [
  declare('charAt', ['.string_char_at_int', [stringType, intType], stringType, charAt]),
  declare(
    'indexOf',
    ['.string_index_of_string', [stringType, stringType], intType, indexOf(false)],
    ['.string_index_of_string_int', [stringType, stringType, intType], intType, indexOf(false)],
  ),
  declare(
    'lastIndexOf',
    ['.string_last_index_of_string', [stringType, stringType], intType, indexOf(true)],
    ['.string_last_index_of_string_int', [stringType, stringType, intType], intType, indexOf(true)],
  ),
  declare('lowerAscii', ['.string_lower_ascii', [stringType], stringType, ascii(/[A-Z]+/g, (c) => c.toLowerCase())]),
  declare('upperAscii', ['.string_upper_ascii', [stringType], stringType, ascii(/[a-z]+/g, (c) => c.toUpperCase())]),
  declare(
    'replace',
    ['.string_replace_string_string', [stringType, stringType, stringType], stringType, replace],
    ['.string_replace_string_string_int', [stringType, stringType, stringType, intType], stringType, replace],
  ),
  declare(
    'split',
    ['.string_split_string', [stringType, stringType], listOf(stringType), split],
    ['.string_split_string_int', [stringType, stringType, intType], listOf(stringType), split],
  ),
  declare(
    'substring',
    ['.string_substring_int', [stringType, intType], stringType, substring],
    ['.string_substring_int_int', [stringType, intType, intType], stringType, substring],
  ),
  declare('trim', ['.string_trim', [stringType], stringType, ([s]) => (s as string).replace(/^[\s\u0085]+|[\s\u0085]+$/gu, '')]),
  declare(
    'join',
    ['.list_join', [listOf(stringType)], stringType, join],
    ['.list_join_string', [listOf(stringType), stringType], stringType, join],
  ),
  declare('format', [
    '.string_format',
    [stringType, listOf(dynType)],
    stringType,
    ([s, args], context) => formatText(s as string, args as CelList, context) as Value,
  ]),
  declare('strings.quote', ['strings_quote', [stringType], stringType, ([s]) => quoted(s as string)]),
];

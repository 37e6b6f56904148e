import type { Json, JsonObject } from './object.ts';

/** What Go's encoder escapes beyond JSON's own rules, so that the text is safe inside HTML and JavaScript. */
const htmlUnsafe = /[<>&\u2028\u2029]/g;
// oxlint-disable-next-line no-control-regex
const needsCare = /[\u0000-\u001f"\\<>&\u2028\u2029\ud800-\udfff]/;
const loneSurrogate = /[\ud800-\udfff]/gu;
const escapes: Readonly<Record<string, string>> = {
  '<': '\\u003c',
  '>': '\\u003e',
  '&': '\\u0026',
  '\u2028': '\\u2028',
  '\u2029': '\\u2029',
};

/** A string as Go's encoding/json writes it. Lone surrogates become U+FFFD, as they are after Go has decoded them. */
export function quoteJson(s: string): string {
  if (!needsCare.test(s)) return `"${s}"`;
  return JSON.stringify(s.replace(loneSurrogate, '\ufffd')).replace(htmlUnsafe, (c) => escapes[c]!);
}

const hasSurrogate = /[\ud800-\udfff]/;
const byCodeUnits = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
/** Go sorts map keys by their UTF-8 bytes; UTF-16 code units give the same order unless surrogates are among them. */
const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));
export function sortedKeys(object: object): string[] {
  const keys = Object.keys(object);
  if (keys.length < 2) return keys;
  return keys.sort(keys.some((k) => hasSurrogate.test(k)) ? byBytes : byCodeUnits);
}

/** Go's form of a float64: as JavaScript's, which both take from ES6. */
export const numberText = (n: number | bigint): string => (Object.is(n, -0) ? '-0' : String(n));

/** Free JSON in the order of its keys (RawExtension), or with its keys sorted (custom resources, maps). Undefined values are left out. */
export function jsonText(value: Json | undefined, sorted: boolean): string {
  switch (typeof value) {
    case 'string':
      return quoteJson(value);
    case 'number':
    case 'bigint':
      return numberText(value);
    case 'boolean':
      return value ? 'true' : 'false';
    case 'undefined':
      return 'null';
    default:
      if (value === null) return 'null';
      return Array.isArray(value) ? arrayText(value, sorted) : objectText(value, sorted);
  }
}

const needsOwnWriter = /[<>&\u2028\u2029]|\\ud[89ab]/;

/** Free JSON in the order of its keys, by the native writer where Go would write the same. */
export function freeJsonText(value: Json): string {
  if (typeof value !== 'object' || value === null) return jsonText(value, false);
  let text: string;
  try {
    text = JSON.stringify(value);
  } catch (e) {
    // A bigint.
    if (e instanceof TypeError) return jsonText(value, false);
    throw e;
  }
  return needsOwnWriter.test(text) ? jsonText(value, false) : text;
}

function arrayText(value: readonly Json[], sorted: boolean): string {
  let out = '[';
  for (let i = 0; i < value.length; i++) out += i === 0 ? jsonText(value[i], sorted) : `,${jsonText(value[i], sorted)}`;
  return `${out}]`;
}

function objectText(value: JsonObject, sorted: boolean): string {
  let out = '{';
  let first = true;
  for (const key of sorted ? sortedKeys(value) : Object.keys(value)) {
    const v = value[key];
    if (v === undefined) continue;
    out += `${first ? '' : ','}${quoteJson(key)}:${jsonText(v, sorted)}`;
    first = false;
  }
  return `${out}}`;
}

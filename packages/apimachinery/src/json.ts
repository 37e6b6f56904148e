import { type KeyLog, maxJsonDepth, parseJsonExactly } from './json-exact.ts';
import type { Json } from './object.ts';

export interface ParsedJson {
  readonly value: Json;
  /** Only where the text has a key twice in one object. */
  readonly keys?: KeyLog;
  /** A complaint of the YAML parser (duplicate keys, with the line) that strict decoding reports first. */
  readonly yamlError?: string;
}

interface TextFacts {
  readonly colons: number;
  readonly deep: boolean;
  readonly longNumber: boolean;
}

/** Runs over valid JSON outside its strings: how many keys, how deep, any number of 16 digits or more. */
function scanText(text: string): TextFacts {
  const length = text.length;
  let colons = 0;
  let depth = 0;
  let deepest = 0;
  let digits = 0;
  let longNumber = false;
  for (let i = 0; i < length; i++) {
    const c = text.charCodeAt(i);
    if (c === 34) {
      let end = text.indexOf('"', i + 1);
      while (text.charCodeAt(end - 1) === 92) {
        let first = end - 1;
        while (text.charCodeAt(first - 1) === 92) first--;
        if (((end - first) & 1) === 0) break;
        end = text.indexOf('"', end + 1);
      }
      i = end;
      digits = 0;
    } else if (c === 58) {
      colons++;
      digits = 0;
    } else if (c >= 48 && c <= 57) {
      if (++digits > 15) longNumber = true;
    } else {
      digits = 0;
      if (c === 123 || c === 91) {
        if (++depth > deepest) deepest = depth;
      } else if (c === 125 || c === 93) depth--;
    }
  }
  return { colons, deep: deepest > maxJsonDepth, longNumber };
}

function countKeys(value: Json | undefined): number {
  let count = 0;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const v = value[i];
      if (typeof v === 'object' && v !== null) count += countKeys(v);
    }
  } else if (typeof value === 'object' && value !== null) {
    for (const key in value) {
      count++;
      const v = value[key];
      if (typeof v === 'object' && v !== null) count += countKeys(v);
    }
  }
  return count;
}

/**
 * Parses a JSON body as the apiserver does: duplicate keys are noted (the last one wins), integers beyond 2^53 stay exact, nesting is
 * bounded. Throws JsonSyntaxError with Go's text. Fast: the native parser does the work unless the text has one of these.
 */
export function parseJson(body: string | Uint8Array): ParsedJson {
  const text = typeof body === 'string' ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8');
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch {
    // Throws in turn, with Go's words; should it not, its answer is as good.
    return { value: parseJsonExactly(text).value };
  }
  const facts = scanText(text);
  if (!facts.deep && !facts.longNumber && facts.colons === countKeys(value)) return { value };
  const exact = parseJsonExactly(text);
  return exact.keys.duplicates.length === 0 ? { value: exact.value } : exact;
}

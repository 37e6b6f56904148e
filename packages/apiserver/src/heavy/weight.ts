const [quote, backslash, comma, colon, openBracket, openBrace] = [0x22, 0x5c, 0x2c, 0x3a, 0x5b, 0x7b];

/**
 * How much work a JSON text is, counted without parsing it: its values, and one more for each KiB. Counting ends at `limit`. What is
 * no JSON is counted in the same way.
 */
export function weighJson(text: Buffer, limit: number): number {
  let weight = text.length >> 10;
  const end = text.length;
  for (let at = 0; at < end && weight < limit; at++) {
    const c = text[at] as number;
    if (c === quote) {
      // Strings are skipped by their end; what a backslash stands before does not end one.
      for (at = text.indexOf(quote, at + 1); at > 0; at = text.indexOf(quote, at + 1)) {
        let escapes = 0;
        while (text[at - 1 - escapes] === backslash) escapes++;
        if (escapes % 2 === 0) break;
      }
      if (at < 0) return weight;
    } else if (c === comma || c === colon || c === openBracket || c === openBrace) weight++;
  }
  return weight;
}

/** The same for formats whose values are not that easily counted, by what they have at worst: YAML and protobuf. */
export const weighOther = (text: Buffer): number => text.length >> 3;

/** What is heavier is not worked on where everyone waits. Reading, checking, tracking and writing it takes some 10 µs a value. */
export const maxWeight = 2500;
/** Smaller ones can't be too heavy. */
export const minBytes = 8 * 1024;
const weights = new WeakMap<Buffer, number>();

/** Of stored bytes, which are weighed once. */
export function isHeavyValue(value: Buffer): boolean {
  if (value.length < minBytes) return false;
  let weight = weights.get(value);
  if (weight === undefined) {
    weight = weighJson(value, maxWeight);
    weights.set(value, weight);
  }
  return weight >= maxWeight;
}

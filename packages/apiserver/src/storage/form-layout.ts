/** Where the parts of an encoded object lie; see ServedForm. */
export interface FormLayout {
  readonly metadataStart: number;
  readonly versionAt: number;
  readonly metadataEnd: number;
}

const quote = 0x22;
const backslash = 0x5c;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const comma = 0x2c;
const colon = 0x3a;

/** ObjectMeta's fields that Go's struct order puts before resourceVersion. */
const beforeVersion: ReadonlySet<string> = new Set(['name', 'generateName', 'namespace', 'selfLink', 'uid']);

/**
 * Finds the parts of canonical JSON (no white space) without parsing it: reads the members up to the end of metadata and no further.
 * `sorted`: the keys are in alphabetical order (custom resources), which moves the place of resourceVersion. Throws on anything else.
 */
export function scanFormLayout(bytes: Buffer, sorted: boolean): FormLayout {
  let at = expectByte(bytes, 0, openBrace);
  for (;;) {
    const keyStart = at;
    at = skipString(bytes, at);
    const isMetadata = at - keyStart === 10 && bytes.toString('latin1', keyStart + 1, at - 1) === 'metadata';
    at = expectByte(bytes, at, colon);
    if (isMetadata) return scanMetadata(bytes, keyStart, at, sorted);
    at = expectByte(bytes, skipValue(bytes, at), comma);
  }
}

function scanMetadata(bytes: Buffer, metadataStart: number, start: number, sorted: boolean): FormLayout {
  let at = expectByte(bytes, start, openBrace);
  let versionAt = 0;
  while (bytes[at] !== closeBrace) {
    const keyStart = at;
    at = skipString(bytes, at);
    const key = bytes.toString('latin1', keyStart + 1, at - 1);
    if (key === 'resourceVersion') throw new Error('the stored object has a resourceVersion');
    at = skipValue(bytes, expectByte(bytes, at, colon));
    if (sorted ? key < 'resourceVersion' : beforeVersion.has(key)) versionAt = at;
    if (bytes[at] === comma) at += 1;
  }
  if (versionAt === 0) throw new Error('the object has no name');
  return { metadataStart, versionAt, metadataEnd: at + 1 };
}

function expectByte(bytes: Buffer, at: number, byte: number): number {
  if (bytes[at] !== byte) throw new Error(`unexpected byte at offset ${at}: not canonical JSON`);
  return at + 1;
}

function skipString(bytes: Buffer, start: number): number {
  let at = expectByte(bytes, start, quote);
  for (;;) {
    at = bytes.indexOf(quote, at);
    if (at < 0) throw new Error('the JSON text ends within a string');
    let slashes = 0;
    while (bytes[at - 1 - slashes] === backslash) slashes += 1;
    at += 1;
    if (slashes % 2 === 0) return at;
  }
}

function skipValue(bytes: Buffer, start: number): number {
  const first = bytes[start];
  if (first === quote) return skipString(bytes, start);
  let at = start;
  if (first !== openBrace && first !== openBracket) {
    while (at < bytes.length && bytes[at] !== comma && bytes[at] !== closeBrace && bytes[at] !== closeBracket) at += 1;
    return at;
  }
  let depth = 0;
  for (;;) {
    const byte = bytes[at];
    if (byte === undefined) throw new Error('the JSON text ends within an object');
    if (byte === quote) {
      at = skipString(bytes, at);
      continue;
    }
    at += 1;
    if (byte === openBrace || byte === openBracket) depth += 1;
    else if (byte === closeBrace || byte === closeBracket) {
      depth -= 1;
      if (depth === 0) return at;
    }
  }
}

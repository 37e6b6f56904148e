/**
 * The part of HPACK (RFC 7541) that a client needs which allows its peer no dynamic table (SETTINGS_HEADER_TABLE_SIZE 0): every
 * header block then stands for itself.
 */

/** Lengths in bits of the Huffman codes of the bytes 0 to 255 (RFC 7541, appendix B), one letter each: A = 5. The code is canonical. */
const codeLengths =
  'ISXXXXXXXTZXXZXXXXXXXXZXXXXXXXXXBFFHIBDGFFDGDBBBAAABBBBBBBCDKBHFIBCCCCCCCCCCCCCCCCCCCCCCDCDIOIJBKABABABBBACCBBBABCBAABCCCCCKGJIX' +
  'PRPPRRRSRSSSSSTSTTRSTSSSSQRSRSSTRQPRRSSQSRRTQRSSQQRQSRSSPRRRSRRSVVPORSRUVVVWWVTUOQVWWVWTQQVVXWWWPTPQRQQSRRUUTTVSVWVVWWWWWXWWWWWV';
const shortestCode = 5;

/** For each length: the first code of that length, and the bytes in the order of their codes. */
interface CodesOfLength {
  readonly first: number;
  readonly bytes: readonly number[];
}

function canonicalCodes(): readonly CodesOfLength[] {
  const byLength: CodesOfLength[] = [];
  let code = 0;
  for (let length = 0; length <= 30; length++) {
    const bytes: number[] = [];
    for (let byte = 0; byte < 256; byte++) if (codeLengths.charCodeAt(byte) - 65 + shortestCode === length) bytes.push(byte);
    byLength.push({ first: code, bytes });
    code = (code + bytes.length) * 2;
  }
  return byLength;
}
let codes: readonly CodesOfLength[] | undefined;

function decodeHuffman(coded: Buffer): string {
  codes ??= canonicalCodes();
  let text = '';
  let code = 0;
  let length = 0;
  for (const octet of coded) {
    for (let bit = 7; bit >= 0; bit--) {
      code = code * 2 + ((octet >> bit) & 1);
      length++;
      const found = codes[length];
      if (found === undefined) throw new Error('a header has an invalid Huffman code');
      const byte = found.bytes[code - found.first];
      if (byte === undefined) continue;
      text += String.fromCharCode(byte);
      code = 0;
      length = 0;
    }
  }
  return text;
}

/** `:status` is all that matters of the static table. */
const statusOfIndex: Readonly<Record<number, string>> = { 8: '200', 9: '204', 10: '206', 11: '304', 12: '400', 13: '404', 14: '500' };

/** Calls `visit` with each header of a block. Names from the static table other than `:status` are given as ''. Throws on anything malformed. */
export function decodeHeaders(block: Buffer, visit: (name: string, value: string) => void): void {
  let at = 0;
  const next = (): number => {
    const byte = block[at++];
    if (byte === undefined) throw new Error('a header block ends within a header');
    return byte;
  };
  const integer = (first: number, prefixBits: number): number => {
    const limit = 2 ** prefixBits - 1;
    let value = first & limit;
    if (value < limit) return value;
    for (let scale = 1; scale < 2 ** 35; scale *= 128) {
      const byte = next();
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
    throw new Error('a header block has an endless number');
  };
  const text = (): string => {
    const first = next();
    const length = integer(first, 7);
    if (at + length > block.length) throw new Error('a header block ends within a header');
    const bytes = block.subarray(at, at + length);
    at += length;
    return first >= 128 ? decodeHuffman(bytes) : bytes.toString('latin1');
  };
  const indexedName = (index: number): string => {
    if (index > 61) throw new Error('a header refers to a dynamic table, which there is none');
    return statusOfIndex[index] === undefined ? '' : ':status';
  };
  while (at < block.length) {
    const first = next();
    if (first >= 128) {
      const index = integer(first, 7);
      visit(indexedName(index), statusOfIndex[index] ?? '');
    } else if (first >= 64 || first < 32) {
      const index = integer(first, first >= 64 ? 6 : 4);
      visit(index === 0 ? text() : indexedName(index), text());
    } else integer(first, 5);
  }
}

function encodeText(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  const length: number[] = [];
  let rest = bytes.length;
  if (rest < 127) length.push(rest);
  else {
    length.push(127);
    for (rest -= 127; rest > 127; rest = Math.floor(rest / 128)) length.push((rest % 128) | 128);
    length.push(rest);
  }
  return Buffer.concat([Buffer.from(length), bytes]);
}

/** A header block of literals. Made once and sent many times, so it need not be short. */
export function encodeHeaders(headers: readonly (readonly [name: string, value: string])[]): Buffer {
  return Buffer.concat(headers.flatMap(([name, value]) => [Buffer.from([0]), encodeText(name), encodeText(value)]));
}

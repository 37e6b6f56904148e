const simple: Readonly<Record<string, number>> = {
  a: 7,
  b: 8,
  f: 12,
  n: 10,
  r: 13,
  t: 9,
  v: 11,
  '"': 34,
  "'": 39,
  '\\': 92,
  '?': 63,
  '`': 96,
};

/** The content of a string or bytes token (its quotes and prefixes included); an Error when an escape means nothing there. */
export function unescapeToken(token: string, bytes: boolean): string | Uint8Array | Error {
  let text = bytes ? token.slice(1) : token;
  const raw = text.startsWith('r') || text.startsWith('R');
  if (raw) text = text.slice(1);
  const triple = text.startsWith('"""') || text.startsWith("'''");
  text = (triple ? text.slice(3, -3) : text.slice(1, -1)).replaceAll('\r\n', '\n');
  if (raw || !text.includes('\\')) return bytes ? Buffer.from(text, 'utf8') : text;
  const parts: (string | number)[] = [];
  for (let i = 0; i < text.length; ) {
    const next = text.indexOf('\\', i);
    if (next < 0) {
      parts.push(text.slice(i));
      break;
    }
    if (next > i) parts.push(text.slice(i, next));
    const escape = readEscape(text, next + 1);
    if (escape === undefined) return new Error('unable to unescape string');
    if (bytes && escape.unicode) return new Error('unable to unescape string');
    parts.push(escape.code);
    i = escape.end;
  }
  if (bytes) return Buffer.concat(parts.map((p) => (typeof p === 'number' ? Buffer.of(p) : Buffer.from(p, 'utf8'))));
  return parts.map((p) => (typeof p === 'number' ? String.fromCodePoint(p) : p)).join('');
}

function readEscape(text: string, at: number): { code: number; end: number; unicode: boolean } | undefined {
  const c = text[at]!;
  const plain = simple[c];
  if (plain !== undefined) return { code: plain, end: at + 1, unicode: false };
  if (c >= '0' && c <= '3') return { code: Number.parseInt(text.slice(at, at + 3), 8), end: at + 3, unicode: false };
  const digits = c === 'x' || c === 'X' ? 2 : c === 'u' ? 4 : 8;
  const code = Number.parseInt(text.slice(at + 1, at + 1 + digits), 16);
  if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return undefined;
  return { code, end: at + 1 + digits, unicode: digits > 2 };
}

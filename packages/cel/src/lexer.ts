import type { Issue } from './source.ts';

export type TokenKind = 'operator' | 'int' | 'uint' | 'double' | 'string' | 'bytes' | 'identifier' | 'escaped' | 'keyword' | 'end';

export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  /** Offset in code points. */
  readonly at: number;
}

const space = /[\t \r\n\f]+|\/\/[^\n]*/y;
const escape = String.raw`\\(?:[abfnrtv"'\\?${'`'}]|[0-3][0-7][0-7]|[xX][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})`;
const plainStrings = [
  `"""(?:${escape}|[^\\\\])*?"""`,
  `'''(?:${escape}|[^\\\\])*?'''`,
  `"(?:${escape}|[^\\\\"\\n\\r])*"`,
  `'(?:${escape}|[^\\\\'\\n\\r])*'`,
];
const rawStrings = ['[rR]"""[^]*?"""', "[rR]'''[^]*?'''", '[rR]"[^"\\n\\r]*"', "[rR]'[^'\\n\\r]*'"];
const patterns: readonly (readonly [TokenKind, RegExp])[] = [
  ['bytes', new RegExp(`[bB](?:${[...plainStrings, ...rawStrings].join('|')})`, 'y')],
  ['string', new RegExp([...plainStrings, ...rawStrings].join('|'), 'y')],
  ['double', /(?:\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?)/y],
  ['uint', /(?:0x[0-9a-fA-F]+|\d+)[uU]/y],
  ['int', /0x[0-9a-fA-F]+|\d+/y],
  ['identifier', /[A-Za-z_][A-Za-z0-9_]*/y],
  ['escaped', /`[A-Za-z0-9_.\-/ ]+`/y],
  ['operator', /==|!=|<=|>=|&&|\|\||[[\]{}().,\-!?:+*/%<>]/y],
];
/** Which patterns a token's first character leaves. */
function candidates(c: string): typeof patterns {
  if (/[0-9.]/.test(c)) return numbers;
  if (/[A-Za-z_]/.test(c)) return /[bBrR]/.test(c) ? patterns : names;
  return c === '"' || c === "'" ? patterns : others;
}
const ofKinds = (...kinds: TokenKind[]): typeof patterns => patterns.filter(([kind]) => kinds.includes(kind));
const numbers = ofKinds('double', 'uint', 'int', 'operator');
const names = ofKinds('identifier');
const others = ofKinds('escaped', 'operator');
const keywords = new Set(['in', 'true', 'false', 'null']);

/** Tokens of an expression, ending with one of kind `end`. What is no token is reported and skipped. */
export function tokenize(text: string, issues: Issue[]): Token[] {
  const tokens: Token[] = [];
  let index = 0;
  let at = 0;
  const advance = (length: number) => {
    at += codePointLength(text, index, length);
    index += length;
  };
  while (index < text.length) {
    space.lastIndex = index;
    const blank = space.exec(text);
    if (blank !== null) {
      advance(blank[0].length);
      continue;
    }
    let found = false;
    for (const [kind, pattern] of candidates(text[index]!)) {
      pattern.lastIndex = index;
      const m = pattern.exec(text);
      if (m === null) continue;
      tokens.push({ kind: kind === 'identifier' && keywords.has(m[0]) ? 'keyword' : kind, text: m[0], at });
      advance(m[0].length);
      found = true;
      break;
    }
    if (found) continue;
    const bad = unrecognized(text, index);
    issues.push({ at, message: `Syntax error: token recognition error at: '${escapeWhitespace(bad)}'` });
    advance(bad.length);
  }
  tokens.push({ kind: 'end', text: '<EOF>', at });
  return tokens;
}

function codePointLength(text: string, from: number, length: number): number {
  let n = length;
  for (let i = from; i < from + length; i++) if ((text.charCodeAt(i) & 0xfc00) === 0xdc00) n--;
  return n;
}

export const escapeWhitespace = (text: string): string => text.replaceAll('\t', '\\t').replaceAll('\n', '\\n').replaceAll('\r', '\\r');

/** What the lexer gives up on: an unfinished string up to where it breaks off, an unfinished operator with what follows, one character. */
function unrecognized(text: string, index: number): string {
  const quote = /^[bB]?[rR]?(["'])/.exec(text.slice(index, index + 3));
  if (quote !== null) {
    const raw = /[rR]/.test(quote[0]);
    let i = index + quote[0].length;
    for (; i < text.length; i++) {
      const c = text[i]!;
      if (c === '\n' || c === '\r') return text.slice(index, i + 1);
      if (c !== '\\' || raw) continue;
      if (!new RegExp(`^${escape}`).test(text.slice(i, i + 10))) return text.slice(index, i + 2);
      i++;
    }
    return text.slice(index);
  }
  const c = String.fromCodePoint(text.codePointAt(index)!);
  return c === '|' || c === '&' || c === '=' || c === '`' ? text.slice(index, index + 2) : c;
}

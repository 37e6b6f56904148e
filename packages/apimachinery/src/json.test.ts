import { describe, expect, it } from 'vitest';
import { parseJson } from './json.ts';

describe('parseJson', () => {
  it.each([
    ['', 'unexpected end of JSON input'],
    ['{"a"', 'unexpected end of JSON input'],
    ['{} x', "invalid character 'x' after top-level value"],
    ['nope', "invalid character 'o' in literal null (expecting 'u')"],
    ['{"a":}', "invalid character '}' looking for beginning of value"],
    ['{a:1}', "invalid character 'a' looking for beginning of object key string"],
    ['{"a":1,}', "invalid character '}' looking for beginning of object key string"],
    ['{"a" 1}', "invalid character '1' after object key"],
    ['{"a":1 "b"}', `invalid character '"' after object key:value pair`],
    ['[1 2]', "invalid character '2' after array element"],
    ['"\n"', "invalid character '\\n' in string literal"],
    ['"\\x"', "invalid character 'x' in string escape code"],
    ['[01]', "invalid character '1' after array element"],
    ['[-]', "invalid character ']' in numeric literal"],
    ['[1.]', "invalid character ']' after decimal point in numeric literal"],
    ['['.repeat(100_000) + ']'.repeat(100_000), "invalid character '[' exceeded max depth"],
    ['['.repeat(100_000), "invalid character '[' exceeded max depth"],
  ])('refuses %.20s', (text, message) => {
    expect(() => parseJson(text)).toThrow(message);
  });

  it('notes duplicate keys with their paths, the last value wins', () => {
    const parsed = parseJson('{"a":1,"b":[{"c":1,"\\u0063":2}],"a":"x:{}\\\\"}');
    expect(parsed.value).toEqual({ a: 'x:{}\\', b: [{ c: 2 }] });
    expect(parsed.keys?.duplicates.map((d) => d.path)).toEqual(['b[0].c', 'a']);
  });

  it('keeps large integers exact and makes no fuss of colons in strings', () => {
    expect(parseJson('{"a":9007199254740993,"b":1234567890123456,"c":1.5e300}').value).toEqual({
      a: 9007199254740993n,
      b: 1234567890123456,
      c: 1.5e300,
    });
    expect(parseJson('{"a:b":"\\\\\\":","__proto__":{"x":1}}').keys).toBeUndefined();
  });
});

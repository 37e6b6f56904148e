import type { Json, JsonObject } from './object.ts';

/** Deeper nesting than this is refused (Go refuses 10,000; walkers here are recursive). */
export const maxJsonDepth = 1000;

/** A body that is no JSON; the message is Go's. */
export class JsonSyntaxError extends Error {
  override readonly name = 'JsonSyntaxError';
}

/** Where keys stand in the text: paths such as `spec.containers[0].name`, with their order of appearance. */
export interface KeyLog {
  readonly firstSeen: ReadonlyMap<string, number>;
  readonly duplicates: readonly { readonly path: string; readonly order: number }[];
}

const quoteChar = (c: string): string => (c === "'" ? `'\\''` : c === '"' ? `'"'` : `'${JSON.stringify(c).slice(1, -1)}'`);

/** Sets a key from the outside; `__proto__` becomes an ordinary key. */
export function setKey(object: JsonObject, key: string, value: Json | undefined): void {
  if (key === '__proto__') Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
  else object[key] = value;
}

class ExactParser {
  readonly firstSeen = new Map<string, number>();
  readonly duplicates: { path: string; order: number }[] = [];
  readonly #text: string;
  #at = 0;
  #depth = 0;
  #keys = 0;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): Json {
    const value = this.#value('');
    this.#space();
    if (this.#at < this.#text.length) this.#fail('after top-level value');
    return value;
  }

  #fail(context: string, at = this.#at): never {
    const code = this.#text.codePointAt(at);
    if (code === undefined) throw new JsonSyntaxError('unexpected end of JSON input');
    throw new JsonSyntaxError(`invalid character ${quoteChar(String.fromCodePoint(code))} ${context}`);
  }

  #space(): void {
    for (;;) {
      const c = this.#text.charCodeAt(this.#at);
      if (c !== 32 && c !== 10 && c !== 13 && c !== 9) return;
      this.#at++;
    }
  }

  #value(path: string): Json {
    this.#space();
    switch (this.#text[this.#at]) {
      case '{':
        return this.#nested(() => this.#object(path));
      case '[':
        return this.#nested(() => this.#array(path));
      case '"':
        return this.#string();
      case 't':
        return this.#literal('true', true);
      case 'f':
        return this.#literal('false', false);
      case 'n':
        return this.#literal('null', null);
      default:
        return this.#number();
    }
  }

  #nested<T>(parse: () => T): T {
    if (++this.#depth > maxJsonDepth) this.#fail('exceeded max depth');
    this.#at++;
    const value = parse();
    this.#depth--;
    return value;
  }

  #object(path: string): JsonObject {
    const object: JsonObject = {};
    const seen = new Set<string>();
    this.#space();
    if (this.#text[this.#at] === '}') {
      this.#at++;
      return object;
    }
    for (;;) {
      this.#space();
      if (this.#text[this.#at] !== '"') this.#fail('looking for beginning of object key string');
      const key = this.#string();
      const keyPath = path === '' ? key : `${path}.${key}`;
      if (seen.has(key)) this.duplicates.push({ path: keyPath, order: this.#keys++ });
      else this.firstSeen.set(keyPath, this.#keys++);
      seen.add(key);
      this.#space();
      if (this.#text[this.#at] !== ':') this.#fail('after object key');
      this.#at++;
      setKey(object, key, this.#value(keyPath));
      this.#space();
      const c = this.#text[this.#at];
      if (c !== ',' && c !== '}') this.#fail('after object key:value pair');
      this.#at++;
      if (c === '}') return object;
    }
  }

  #array(path: string): Json[] {
    const array: Json[] = [];
    this.#space();
    if (this.#text[this.#at] === ']') {
      this.#at++;
      return array;
    }
    for (;;) {
      array.push(this.#value(`${path}[${array.length}]`));
      this.#space();
      const c = this.#text[this.#at];
      if (c !== ',' && c !== ']') this.#fail('after array element');
      this.#at++;
      if (c === ']') return array;
    }
  }

  #literal(word: string, value: Json): Json {
    for (let i = 1; i < word.length; i++) {
      if (this.#text[this.#at + i] !== word[i]) this.#fail(`in literal ${word} (expecting ${quoteChar(word[i]!)})`, this.#at + i);
    }
    this.#at += word.length;
    return value;
  }

  #string(): string {
    const start = this.#at++;
    for (;;) {
      const c = this.#text.charCodeAt(this.#at);
      if (Number.isNaN(c) || c < 32) this.#fail('in string literal');
      if (c === 34) break;
      if (c === 92) this.#escape();
      this.#at++;
    }
    this.#at++;
    return JSON.parse(this.#text.slice(start, this.#at)) as string;
  }

  #escape(): void {
    const c = this.#text[++this.#at];
    if (c === undefined || !'bfnrt\\/"u'.includes(c)) this.#fail('in string escape code');
    if (c !== 'u') return;
    for (let i = 0; i < 4; i++) {
      if (!/^[0-9a-fA-F]$/.test(this.#text[++this.#at] ?? '')) this.#fail('in \\u hexadecimal character escape');
    }
  }

  #digits(context: string): void {
    if (!/^[0-9]$/.test(this.#text[this.#at] ?? '')) this.#fail(context);
    while (/^[0-9]$/.test(this.#text[this.#at] ?? '')) this.#at++;
  }

  #number(): Json {
    const start = this.#at;
    if (!/^[-0-9]$/.test(this.#text[start] ?? '')) this.#fail('looking for beginning of value');
    if (this.#text[this.#at] === '-') this.#at++;
    if (this.#text[this.#at] === '0') this.#at++;
    else this.#digits('in numeric literal');
    let integer = true;
    if (this.#text[this.#at] === '.') {
      this.#at++;
      this.#digits('after decimal point in numeric literal');
      integer = false;
    }
    if (this.#text[this.#at] === 'e' || this.#text[this.#at] === 'E') {
      this.#at++;
      if (this.#text[this.#at] === '+' || this.#text[this.#at] === '-') this.#at++;
      this.#digits('in exponent of numeric literal');
      integer = false;
    }
    const literal = this.#text.slice(start, this.#at);
    const value = Number(literal);
    return integer && !Number.isSafeInteger(value) ? BigInt(literal) : value;
  }
}

/** The slow and exact way: Go's error texts, every duplicate key with its path, integers beyond 2^53 as bigint. */
export function parseJsonExactly(text: string): { value: Json; keys: KeyLog } {
  const parser = new ExactParser(text);
  const value = parser.parse();
  return { value, keys: { firstSeen: parser.firstSeen, duplicates: parser.duplicates } };
}

import { type Expr, type MapEntry, noElements, type StructField } from './ast.ts';
import { escapeWhitespace, type Token, type TokenKind, tokenize } from './lexer.ts';
import { expandMacro, MacroError } from './macros.ts';
import type { Issue } from './source.ts';
import { unescapeToken } from './unescape.ts';
import { Uint, type Value } from './values.ts';

const maxCodePoints = 100_000;
/** How deep each rule of the grammar may nest; a chain (`a.b.c`, `1 + 2 + 3`) counts as nesting. */
const maxDepth = 250;

const reserved = new Set(
  'as break const continue else false for function if import in let loop package namespace null return true var void while'.split(' '),
);
const startOfExpression =
  "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}";

/** Ends parsing: the issue is recorded already. */
class SyntaxFailure extends Error {}

export type ParseResult =
  | { readonly expr: Expr; readonly issues: readonly [] }
  | { readonly expr: undefined; readonly issues: readonly Issue[] };

/** Parses an expression and expands its macros, `cel.bind` among them only if there are `bindings`. */
export function parse(text: string, macros: { readonly bindings: boolean }): ParseResult {
  const issues: Issue[] = [];
  const size = text.length > maxCodePoints ? Array.from(text).length : text.length;
  if (size > maxCodePoints) {
    const message = `expression code point size exceeds limit: size: ${size}, limit ${maxCodePoints}`;
    return { expr: undefined, issues: [{ at: -1, message }] };
  }
  const parser = new Parser(tokenize(text, issues), issues, macros);
  try {
    const expr = parser.start();
    if (issues.length === 0) return { expr, issues: [] };
  } catch (e) {
    if (!(e instanceof SyntaxFailure)) throw e;
  }
  return { expr: undefined, issues };
}

const relations = new Set(['<', '<=', '>=', '>', '==', '!=', 'in']);
const relationNames: Readonly<Record<string, string>> = { in: '@in' };

class Parser {
  readonly #tokens: readonly Token[];
  readonly #issues: Issue[];
  readonly #macros: { readonly bindings: boolean };
  #at = 0;
  readonly #depth = { expr: 0, relation: 0, calc: 0, member: 0 };

  constructor(tokens: readonly Token[], issues: Issue[], macros: { readonly bindings: boolean }) {
    this.#macros = macros;
    this.#tokens = tokens;
    this.#issues = issues;
  }

  get #token(): Token {
    return this.#tokens[this.#at]!;
  }
  get #next(): Token {
    return this.#tokens[this.#at + 1] ?? this.#token;
  }

  #is(text: string): boolean {
    const t = this.#token;
    return t.text === text && (t.kind === 'operator' || t.kind === 'keyword');
  }

  #take(text: string): Token | undefined {
    if (!this.#is(text)) return undefined;
    return this.#tokens[this.#at++];
  }

  /**
   * A token that must stand here. Like upstream's parser: one stray token before it is skipped, and where it is only missing (what
   * stands here could follow it) parsing goes on. `loop`: the commas of a list may stand here too.
   */
  #expect(text: string, o: { readonly loop?: boolean; readonly before?: 'operand' } = {}): Token {
    const taken = this.#take(text);
    if (taken !== undefined) return taken;
    const current = this.#token;
    const shown = escapeWhitespace(current.text);
    const expected = o.loop === true ? `{'${text}', ','}` : `'${text}'`;
    const next = this.#next.kind === 'operator' ? this.#next.text : '';
    if (current.kind !== 'end' && (next === text || (o.loop === true && next === ','))) {
      this.#syntax(`extraneous input '${shown}' expecting ${expected}`);
      this.#at++;
      return this.#tokens[this.#at++]!;
    }
    const follows = o.before === 'operand' ? this.#startsOperand(current) : this.#followsOperand(current);
    if (o.loop !== true && follows) {
      this.#syntax(`missing '${text}' at '${shown}'`);
      return current;
    }
    return this.#fail(`mismatched input '${shown}' expecting ${expected}`);
  }
  #startsOperand(t: Token): boolean {
    if (t.kind === 'end' || t.kind === 'escaped') return false;
    return t.kind === 'operator' ? '[{(.-!'.includes(t.text) : t.text !== 'in';
  }
  #followsOperand(t: Token): boolean {
    return t.kind === 'end' || t.text === 'in' || (t.kind === 'operator' && !['(', '{', '!'].includes(t.text));
  }

  #syntax(message: string, at = this.#token.at): void {
    this.#issues.push({ at, message: `Syntax error: ${message}` });
  }
  #fail(message: string): never {
    this.#syntax(message);
    throw new SyntaxFailure();
  }
  #report(at: number, message: string): Expr {
    this.#issues.push({ at, message });
    return { kind: 'literal', at, value: null };
  }
  #deepen(rule: 'expr' | 'relation' | 'calc' | 'member'): void {
    if (++this.#depth[rule] <= maxDepth) return;
    this.#issues.push({ at: -1, message: `expression recursion limit exceeded: ${maxDepth}` });
    throw new SyntaxFailure();
  }

  start(): Expr {
    const expr = this.#expr();
    if (this.#token.kind === 'end') return expr;
    const text = escapeWhitespace(this.#token.text);
    if (this.#next.kind === 'end') this.#fail(`extraneous input '${text}' expecting <EOF>`);
    return this.#fail(`mismatched input '${text}' expecting <EOF>`);
  }

  #expr(): Expr {
    this.#deepen('expr');
    const condition = this.#or();
    const op = this.#take('?');
    let result = condition;
    if (op !== undefined) {
      const yes = this.#or();
      this.#expect(':', { before: 'operand' });
      result = { kind: 'call', at: op.at, name: '_?_:_', args: [condition, yes, this.#expr()] };
    }
    this.#depth.expr--;
    return result;
  }

  #logic(operator: '||' | '&&', below: () => Expr): Expr {
    const terms = [below()];
    let at = -1;
    for (let op = this.#take(operator); op !== undefined; op = this.#take(operator)) {
      if (at < 0) at = op.at;
      terms.push(below());
    }
    return terms.length === 1 ? terms[0]! : { kind: 'call', at, name: `_${operator}_`, args: terms };
  }
  #or(): Expr {
    return this.#logic('||', () => this.#logic('&&', () => this.#relation()));
  }

  #relation(): Expr {
    const before = this.#depth.relation;
    this.#deepen('relation');
    let left = this.#additive();
    while (relations.has(this.#token.text) && (this.#token.kind === 'operator' || this.#token.kind === 'keyword')) {
      const op = this.#tokens[this.#at++]!;
      this.#deepen('relation');
      left = { kind: 'call', at: op.at, name: relationNames[op.text] ?? `_${op.text}_`, args: [left, this.#additive()] };
    }
    this.#depth.relation = before;
    return left;
  }

  #chain(operators: readonly string[], below: () => Expr): Expr {
    const before = this.#depth.calc;
    this.#deepen('calc');
    let left = below();
    while (this.#token.kind === 'operator' && operators.includes(this.#token.text)) {
      const op = this.#tokens[this.#at++]!;
      this.#deepen('calc');
      left = { kind: 'call', at: op.at, name: `_${op.text}_`, args: [left, below()] };
    }
    this.#depth.calc = before;
    return left;
  }
  #additive(): Expr {
    return this.#chain(['+', '-'], () => this.#chain(['*', '/', '%'], () => this.#unary()));
  }

  #unary(): Expr {
    const t = this.#token;
    if (t.kind === 'operator' && (t.text === '!' || (t.text === '-' && !this.#signedNumber()))) {
      let count = 0;
      while (this.#is(t.text) && !(count > 0 && t.text === '-' && count % 2 === 0 && this.#signedNumber())) {
        this.#at++;
        count++;
      }
      const operand = this.#member();
      return count % 2 === 0 ? operand : { kind: 'call', at: t.at, name: t.text === '!' ? '!_' : '-_', args: [operand] };
    }
    return this.#member();
  }
  #signedNumber(): boolean {
    return this.#is('-') && (this.#next.kind === 'int' || this.#next.kind === 'double');
  }

  #member(): Expr {
    const before = this.#depth.member;
    this.#deepen('member');
    let e = this.#primary();
    for (;;) {
      const dot = this.#take('.');
      const open = dot === undefined ? this.#take('[') : undefined;
      if (dot === undefined && open === undefined) break;
      this.#deepen('member');
      if (open !== undefined) {
        const optional = this.#take('?') !== undefined;
        const index = this.#expr();
        this.#expect(']');
        e = { kind: 'call', at: open.at, name: optional ? '_[?_]' : '_[_]', args: [e, index] };
      } else e = this.#selection(e, dot!);
    }
    this.#depth.member = before;
    return e;
  }

  #selection(operand: Expr, dot: Token): Expr {
    const optional = this.#take('?') !== undefined;
    const id = this.#token;
    if (id.kind !== 'identifier' && id.kind !== 'escaped') return this.#badField();
    this.#at++;
    if (id.kind === 'escaped') return this.#report(id.at, "unsupported syntax: '`'");
    if (optional) {
      const field: Expr = { kind: 'literal', at: id.at, value: id.text };
      return { kind: 'call', at: dot.at, name: '_?._', args: [operand, field] };
    }
    const open = this.#take('(');
    if (open === undefined) return { kind: 'select', at: dot.at, operand, field: id.text, test: false };
    return this.#call(open, id.text, operand);
  }
  #badField(): never {
    const { kind, text } = this.#token;
    if (kind === 'keyword' && text !== 'in') return this.#fail(`mismatched input '${text}' expecting IDENTIFIER`);
    return this.#fail(`no viable alternative at input '.${kind === 'end' ? '' : escapeWhitespace(text)}'`);
  }

  #call(open: Token, name: string, target: Expr | undefined): Expr {
    const args: Expr[] = [];
    if (this.#take(')') === undefined) {
      if (!this.#startsOperand(this.#token) && !this.#startsOperand(this.#next)) {
        const expected = startOfExpression.replace("'(', ", "'(', ')', ");
        this.#fail(`mismatched input '${escapeWhitespace(this.#token.text)}' expecting ${expected}`);
      }
      do args.push(this.#expr());
      while (this.#take(',') !== undefined);
      this.#expect(')');
    }
    try {
      return expandMacro(open.at, { name, target, args }, this.#macros) ?? { kind: 'call', at: open.at, name, target, args };
    } catch (e) {
      if (!(e instanceof MacroError)) throw e;
      return this.#report(e.issue.at, e.issue.message);
    }
  }

  #primary(): Expr {
    const t = this.#token;
    const starts: readonly TokenKind[] = ['int', 'uint', 'double', 'string', 'bytes'];
    if (starts.includes(t.kind) || this.#signedNumber() || (t.kind === 'keyword' && t.text !== 'in')) return this.#literal();
    if (t.kind === 'identifier' || this.#is('.')) return this.#name();
    this.#at++;
    if (t.kind === 'operator' && t.text === '(') {
      const e = this.#expr();
      this.#expect(')');
      return e;
    }
    if (t.kind === 'operator' && t.text === '[') return this.#list(t);
    if (t.kind === 'operator' && t.text === '{') return this.#map(t);
    this.#at--;
    return this.#noExpression(t);
  }

  /** Where an operand should stand and doesn't: one stray token is skipped, as upstream's parser does. */
  #noExpression(t: Token): Expr {
    if (t.kind !== 'end' && this.#startsOperand(this.#next)) {
      this.#syntax(`extraneous input '${escapeWhitespace(t.text)}' expecting ${startOfExpression}`);
      this.#at++;
      return this.#primary();
    }
    return this.#fail(`mismatched input '${escapeWhitespace(t.text)}' expecting ${startOfExpression}`);
  }

  #name(): Expr {
    const dot = this.#take('.');
    const id = this.#token;
    if (id.kind !== 'identifier') return this.#badField();
    this.#at++;
    const prefix = dot === undefined ? '' : '.';
    const struct = this.#structName(prefix + id.text);
    if (struct !== undefined) return struct;
    const open = this.#take('(');
    if (reserved.has(id.text)) {
      if (open !== undefined) this.#call(open, id.text, undefined);
      return this.#report(dot?.at ?? id.at, `reserved identifier: ${id.text}`);
    }
    if (open !== undefined) return this.#call(open, prefix + id.text, undefined);
    return { kind: 'ident', at: id.at, name: prefix + id.text };
  }

  /** `a.b.C{...}`: the brace must follow names only. */
  #structName(first: string): Expr | undefined {
    let i = this.#at;
    let name = first;
    while (this.#tokens[i]!.text === '.' && this.#tokens[i + 1]?.kind === 'identifier') {
      name += `.${this.#tokens[i + 1]!.text}`;
      i += 2;
    }
    const brace = this.#tokens[i]!;
    if (brace.kind !== 'operator' || brace.text !== '{') return undefined;
    this.#at = i + 1;
    const fields: StructField[] = [];
    while (!this.#is('}') && !this.#is(',')) {
      const optional = this.#take('?') !== undefined;
      const field = this.#token;
      if (field.kind !== 'identifier')
        this.#fail(`mismatched input '${escapeWhitespace(field.text)}' expecting {'?', '}', ',', IDENTIFIER, ESC_IDENTIFIER}`);
      this.#at++;
      const colon = this.#expect(':', { before: 'operand' });
      fields.push({ at: colon.at, name: field.text, value: this.#expr(), optional });
      if (this.#take(',') === undefined) break;
    }
    if (fields.length === 0) this.#take(',');
    this.#expect('}', { loop: true });
    return { kind: 'struct', at: brace.at, name, fields };
  }

  #list(open: Token): Expr {
    const elements: Expr[] = [];
    const optional = new Set<number>();
    while (!this.#is(']') && !this.#is(',')) {
      if (this.#take('?') !== undefined) optional.add(elements.length);
      elements.push(this.#expr());
      if (this.#take(',') === undefined) break;
    }
    if (elements.length === 0) this.#take(',');
    this.#expect(']', { loop: true });
    return { kind: 'list', at: open.at, elements, optional: optional.size === 0 ? noElements : optional };
  }

  #map(open: Token): Expr {
    const entries: MapEntry[] = [];
    while (!this.#is('}') && !this.#is(',')) {
      const optional = this.#take('?') !== undefined;
      const key = this.#expr();
      const colon = this.#expect(':', { before: 'operand' });
      entries.push({ at: colon.at, key, value: this.#expr(), optional });
      if (this.#take(',') === undefined) break;
    }
    if (entries.length === 0) this.#take(',');
    this.#expect('}', { loop: true });
    return { kind: 'map', at: open.at, entries };
  }

  #literal(): Expr {
    const sign = this.#take('-');
    const t = this.#tokens[this.#at++]!;
    const at = sign?.at ?? t.at;
    const value = literalValue(t, sign !== undefined);
    return typeof value === 'object' && value instanceof Error ? this.#report(at, value.message) : { kind: 'literal', at, value };
  }
}

function literalValue(t: Token, negative: boolean): Value | Error {
  switch (t.kind) {
    case 'keyword':
      return t.text === 'null' ? null : t.text === 'true';
    case 'string':
    case 'bytes':
      return unescapeToken(t.text, t.kind === 'bytes');
    case 'double': {
      const n = Number(t.text) * (negative ? -1 : 1);
      return Number.isFinite(n) ? n : new Error('invalid double literal');
    }
    case 'uint': {
      const n = BigInt(t.text.slice(0, -1));
      return n < 2n ** 64n ? new Uint(n) : new Error('invalid uint literal');
    }
    default: {
      const n = negative ? -BigInt(t.text) : BigInt(t.text);
      return BigInt.asIntN(64, n) === n ? n : new Error('invalid int literal');
    }
  }
}

import { lookupTable } from './lookup-table.ts';
import { isQualifiedName, isValidLabelValue } from './name-validation.ts';
import type { DeepReadonly, LabelSelector } from './object.ts';
import { sortedKeys } from './json-text.ts';

export type LabelOperator = 'in' | 'notin' | '=' | '==' | '!=' | 'exists' | '!' | 'gt' | 'lt';
type Labels = Readonly<Record<string, string>> | undefined;

export interface LabelRequirement {
  readonly key: string;
  readonly operator: LabelOperator;
  readonly values: readonly string[];
}

/** A label selector ready to match: all requirements hold. */
export interface LabelMatcher {
  readonly requirements: readonly LabelRequirement[];
  /** Matches everything, labels or not. */
  readonly empty: boolean;
  matches(labels: Labels): boolean;
  /** In upstream's spelling, as a Scale's `status.selector` has it: `a=b,c in (d,e)`. */
  toString(): string;
}

export class SelectorError extends Error {
  override readonly name = 'SelectorError';
}

const wholeNumber = /^[-+]?\d+$/;

function matchesRequirement({ key, operator, values }: LabelRequirement, labels: Labels): boolean {
  const value = labels !== undefined && Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case 'in':
    case '=':
    case '==':
      return value !== undefined && values.includes(value);
    case 'notin':
    case '!=':
      return value === undefined || !values.includes(value);
    case 'exists':
      return value !== undefined;
    case '!':
      return value === undefined;
    case 'gt':
    case 'lt': {
      if (value === undefined || !wholeNumber.test(value)) return false;
      const [a, b] = [BigInt(value.replace('+', '')), BigInt(values[0]!.replace('+', ''))];
      return operator === 'gt' ? a > b : a < b;
    }
  }
}

function formatRequirement({ key, operator, values }: LabelRequirement): string {
  switch (operator) {
    case 'exists':
      return key;
    case '!':
      return `!${key}`;
    case 'in':
    case 'notin':
      return `${key} ${operator} (${[...values].sort().join(',')})`;
    case 'gt':
    case 'lt':
      return `${key}${operator === 'gt' ? '>' : '<'}${values[0]}`;
    default:
      return `${key}${operator}${values[0]}`;
  }
}

function matcher(requirements: readonly LabelRequirement[]): LabelMatcher {
  const sorted = [...requirements].sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  return {
    requirements: sorted,
    empty: sorted.length === 0,
    matches: (labels) => sorted.every((r) => matchesRequirement(r, labels)),
    toString: () => sorted.map(formatRequirement).join(','),
  };
}

export const everyLabel: LabelMatcher = matcher([]);
export const noLabel: LabelMatcher = { requirements: [], empty: false, matches: () => false, toString: () => '' };

const badField = (path: string, value: unknown, detail: string): string => `${path}: Invalid value: ${JSON.stringify(value)}: ${detail}`;

/** Throws SelectorError with upstream's complaints, as labels.NewRequirement. */
export function newLabelRequirement(key: string, operator: LabelOperator, values: readonly string[]): LabelRequirement {
  const problems: string[] = [];
  const keyProblems = isQualifiedName(key);
  if (keyProblems.length > 0) problems.push(badField('key', key, keyProblems.join('; ')));
  if ((operator === 'in' || operator === 'notin') && values.length === 0) {
    problems.push(badField('values', values, "for 'in', 'notin' operators, values set can't be empty"));
  } else if ((operator === 'exists' || operator === '!') && values.length > 0) {
    problems.push(badField('values', values, 'values set must be empty for exists and does not exist'));
  } else if (operator === 'gt' || operator === 'lt') {
    values.forEach((v, i) => {
      if (!wholeNumber.test(v)) problems.push(badField(`values[${i}]`, v, "for 'Gt', 'Lt' operators, the value must be an integer"));
    });
  }
  values.forEach((v, i) => {
    const bad = isValidLabelValue(v);
    if (bad.length > 0) problems.push(badField(`values[${i}][${key}]`, v, bad.join('; ')));
  });
  if (problems.length > 0) throw new SelectorError(problems.length === 1 ? problems[0] : `[${problems.join(', ')}]`);
  return { key, operator, values };
}

type Token = { readonly type: 'identifier' | 'end' | 'error' | '(' | ')' | ',' | '!' | LabelOperator; readonly text: string };
const symbols: Readonly<Record<string, Token['type']>> = {
  ')': ')',
  ',': ',',
  '!': '!',
  '==': '==',
  '=': '=',
  '>': 'gt',
  '<': 'lt',
  '!=': '!=',
  '(': '(',
};
const isSymbol = (c: string): boolean => '=!(),><'.includes(c);
const isSpace = (c: string): boolean => ' \t\r\n'.includes(c);

function lex(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length) {
    const start = at;
    if (isSpace(text[at]!)) at++;
    else if (isSymbol(text[at]!)) {
      at += symbols[text.slice(at, at + 2)] === undefined ? 1 : 2;
      const symbol = text.slice(start, at);
      tokens.push({ type: symbols[symbol] ?? 'error', text: symbol });
    } else {
      while (at < text.length && !isSymbol(text[at]!) && !isSpace(text[at]!)) at++;
      const word = text.slice(start, at);
      tokens.push({ type: word === 'in' || word === 'notin' ? word : 'identifier', text: word });
    }
  }
  tokens.push({ type: 'end', text: '' });
  return tokens;
}

class SelectorParser {
  readonly #tokens: readonly Token[];
  #at = 0;
  constructor(text: string) {
    this.#tokens = lex(text);
  }

  /** Where a value is expected, `in` and `notin` are ordinary words. */
  #peek(asOperator = false): Token {
    const token = this.#tokens[Math.min(this.#at, this.#tokens.length - 1)]!;
    return !asOperator && (token.type === 'in' || token.type === 'notin') ? { type: 'identifier', text: token.text } : token;
  }
  #take(asOperator = false): Token {
    const token = this.#peek(asOperator);
    this.#at++;
    return token;
  }

  parse(): LabelRequirement[] {
    const requirements: LabelRequirement[] = [];
    for (;;) {
      const token = this.#peek();
      if (token.type === 'end') return requirements;
      if (token.type !== 'identifier' && token.type !== '!')
        throw new SelectorError(`found '${token.text}', expected: !, identifier, or 'end of string'`);
      requirements.push(this.#requirement());
      const next = this.#take();
      if (next.type === 'end') return requirements;
      if (next.type !== ',') throw new SelectorError(`found '${next.text}', expected: ',' or 'end of string'`);
      const after = this.#peek();
      if (after.type !== 'identifier' && after.type !== '!')
        throw new SelectorError(`found '${after.text}', expected: identifier after ','`);
    }
  }

  #requirement(): LabelRequirement {
    try {
      return this.#parseRequirement();
    } catch (e) {
      throw new SelectorError(`unable to parse requirement: ${(e as Error).message}`);
    }
  }

  #parseRequirement(): LabelRequirement {
    let token = this.#take();
    const negated = token.type === '!';
    if (negated) token = this.#take();
    if (token.type !== 'identifier') throw new SelectorError(`found '${token.text}', expected: identifier`);
    const key = token.text;
    const bad = isQualifiedName(key);
    if (bad.length > 0) throw new SelectorError(badField('<nil>', key, bad.join('; ')));
    const next = this.#peek().type;
    if (negated) return newLabelRequirement(key, '!', []);
    if (next === 'end' || next === ',') return newLabelRequirement(key, 'exists', []);
    const operator = this.#operator();
    const values = operator === 'in' || operator === 'notin' ? this.#values() : [this.#exactValue()];
    return newLabelRequirement(key, operator, [...new Set(values)].sort());
  }

  #operator(): LabelOperator {
    const token = this.#take(true);
    switch (token.type) {
      case 'in':
      case 'notin':
      case '=':
      case '==':
      case '!=':
      case 'gt':
      case 'lt':
        return token.type;
      default:
        throw new SelectorError(`found '${token.text}', expected: in, notin, =, ==, !=, gt, lt`);
    }
  }

  #exactValue(): string {
    const next = this.#peek();
    if (next.type === 'end' || next.type === ',') return '';
    const token = this.#take();
    if (token.type !== 'identifier') throw new SelectorError(`found '${token.text}', expected: identifier`);
    return token.text;
  }

  #values(): string[] {
    const open = this.#take();
    if (open.type !== '(') throw new SelectorError(`found '${open.text}' expected: '('`);
    const first = this.#peek();
    if (first.type === ')') {
      this.#at++;
      return [''];
    }
    if (first.type !== 'identifier' && first.type !== ',')
      throw new SelectorError(`found '${first.text}', expected: ',', ')' or identifier`);
    const values: string[] = [];
    for (;;) {
      const token = this.#take();
      if (token.type === 'identifier') {
        values.push(token.text);
        const next = this.#peek();
        if (next.type === ')') break;
        if (next.type !== ',') throw new SelectorError(`found '${next.text}', expected: ',' or ')'`);
      } else if (token.type === ',') {
        if (values.length === 0) values.push('');
        const next = this.#peek().type;
        if (next === ')' || next === ',') values.push('');
        if (next === ')') break;
      } else throw new SelectorError(`found '${token.text}', expected: ',', or identifier`);
    }
    this.#at++;
    return values;
  }
}

/** Parses `a=b,c in (d,e),!f`. Throws SelectorError with upstream's text; as a query parameter that is a 400. */
export function parseLabelSelector(text: string): LabelMatcher {
  return text === '' ? everyLabel : matcher(new SelectorParser(text).parse());
}

const objectOperators = lookupTable<LabelOperator>({ In: 'in', NotIn: 'notin', Exists: 'exists', DoesNotExist: '!' });

/** A LabelSelector as an object has it. Absent matches nothing, empty matches everything. Throws SelectorError. */
export function labelSelectorMatcher(selector: DeepReadonly<LabelSelector> | null | undefined): LabelMatcher {
  if (selector === undefined || selector === null) return noLabel;
  const requirements: LabelRequirement[] = [];
  const labels = selector.matchLabels ?? {};
  for (const key of sortedKeys(labels)) requirements.push(newLabelRequirement(key, '=', [labels[key]!]));
  for (const e of selector.matchExpressions ?? []) {
    const operator = objectOperators[e.operator];
    if (operator === undefined) throw new SelectorError(`${JSON.stringify(e.operator)} is not a valid label selector operator`);
    requirements.push(newLabelRequirement(e.key, operator, [...(e.values ?? [])]));
  }
  return requirements.length === 0 ? everyLabel : matcher(requirements);
}

/** Exact labels, as a ReplicationController's or Service's selector; not validated. An absent or empty set matches everything. */
export function labelSetMatcher(set: Labels): LabelMatcher {
  const keys = set === undefined ? [] : sortedKeys(set);
  return keys.length === 0 ? everyLabel : matcher(keys.map((key) => ({ key, operator: '=', values: [set![key]!] })));
}

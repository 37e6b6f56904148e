/** One step of a JSON path. */
type Step =
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'index'; readonly index: number }
  | { readonly kind: 'all' }
  | { readonly kind: 'filter'; readonly left: readonly Step[]; readonly operator: string; readonly right: unknown };

/** A path that can't be understood; the text says where it stops. */
export class JsonPathError extends Error {
  override readonly name = 'JsonPathError';
}

export interface JsonPath {
  /** Every value that the path leads to, in order. */
  find(root: unknown): readonly unknown[];
}

const maxPathLength = 4096;
const comparison = /^@(.*?)\s*(==|!=|<=|>=|<|>)\s*(.+)$/s;

/**
 * kubectl's JSONPath as printer columns and selectable fields use it: `.spec.a`, `['a.b']`, `.a\.b`, `[0]`, `[-1]`, `[*]`, and
 * filters such as `[?(@.type=="Ready")]`. Throws JsonPathError.
 */
export function parseJsonPath(text: string): JsonPath {
  if (text.length > maxPathLength) throw new JsonPathError('the path is too long');
  const steps = parseSteps(text);
  return { find: (root) => follow([root], steps) };
}

function parseSteps(text: string): readonly Step[] {
  const steps: Step[] = [];
  let at = 0;
  while (at < text.length) {
    if (text[at] === '.') at = takeName(text, at + 1, steps);
    else if (text[at] === '[') at = takeBracket(text, at, steps);
    else throw new JsonPathError(`unexpected ${JSON.stringify(text[at])} at ${at} of ${JSON.stringify(text)}`);
  }
  return steps;
}

function takeName(text: string, start: number, steps: Step[]): number {
  let name = '';
  let at = start;
  for (; at < text.length && text[at] !== '.' && text[at] !== '['; at++) {
    if (text[at] === '\\' && at + 1 < text.length) at += 1;
    name += text[at];
  }
  if (name === '*') steps.push({ kind: 'all' });
  else if (name !== '') steps.push({ kind: 'name', name });
  else if (at < text.length && text[at] !== '[') throw new JsonPathError(`a name is missing at ${at} of ${JSON.stringify(text)}`);
  return at;
}

function takeBracket(text: string, start: number, steps: Step[]): number {
  const end = closingBracket(text, start);
  const inside = text.slice(start + 1, end).trim();
  const quoted = /^'((?:[^'\\]|\\.)*)'$|^"((?:[^"\\]|\\.)*)"$/s.exec(inside);
  if (quoted !== null) steps.push({ kind: 'name', name: (quoted[1] ?? quoted[2] ?? '').replace(/\\(.)/gs, '$1') });
  else if (inside === '*') steps.push({ kind: 'all' });
  else if (/^-?\d+$/.test(inside)) steps.push({ kind: 'index', index: Number(inside) });
  else if (inside.startsWith('?(') && inside.endsWith(')')) steps.push(parseFilter(inside.slice(2, -1).trim()));
  else throw new JsonPathError(`${JSON.stringify(text.slice(start, end + 1))} is not understood`);
  return end + 1;
}

/** Brackets nest in filters, and quotes hide them. */
function closingBracket(text: string, start: number): number {
  let depth = 0;
  let quote = '';
  for (let at = start; at < text.length; at++) {
    const c = text[at] as string;
    if (quote !== '') {
      if (c === '\\') at += 1;
      else if (c === quote) quote = '';
    } else if (c === '"' || c === "'") quote = c;
    else if (c === '[') depth += 1;
    else if (c === ']' && --depth === 0) return at;
  }
  throw new JsonPathError(`${JSON.stringify(text)} has a bracket that is not closed`);
}

function parseFilter(text: string): Step {
  const match = comparison.exec(text);
  if (match === null) {
    if (!text.startsWith('@')) throw new JsonPathError(`the filter ${JSON.stringify(text)} is not understood`);
    return { kind: 'filter', left: parseSteps(text.slice(1)), operator: 'exists', right: undefined };
  }
  const [, left = '', operator = '', right = ''] = match;
  return { kind: 'filter', left: parseSteps(left.trim()), operator, right: parseLiteral(right.trim()) };
}

function parseLiteral(text: string): unknown {
  const quoted = /^'((?:[^'\\]|\\.)*)'$|^"((?:[^"\\]|\\.)*)"$/s.exec(text);
  if (quoted !== null) return (quoted[1] ?? quoted[2] ?? '').replace(/\\(.)/gs, '$1');
  if (text === 'true' || text === 'false') return text === 'true';
  if (/^-?\d+(?:\.\d+)?$/.test(text)) return Number(text);
  throw new JsonPathError(`the value ${JSON.stringify(text)} is not understood`);
}

function follow(start: readonly unknown[], steps: readonly Step[]): readonly unknown[] {
  let values = start;
  for (const step of steps) values = values.flatMap((value) => take(value, step));
  return values;
}

function take(value: unknown, step: Step): readonly unknown[] {
  if (typeof value !== 'object' || value === null) return [];
  switch (step.kind) {
    case 'name': {
      const found = Object.hasOwn(value, step.name) && !Array.isArray(value) ? (value as Record<string, unknown>)[step.name] : undefined;
      return found === undefined ? [] : [found];
    }
    case 'index': {
      const found = Array.isArray(value) ? (value.at(step.index) as unknown) : undefined;
      return found === undefined ? [] : [found];
    }
    case 'all':
      return Object.values(value) as unknown[];
    case 'filter':
      return (Array.isArray(value) ? (value as unknown[]) : []).filter((item) => passes(item, step));
  }
}

function passes(item: unknown, { left, operator, right }: Extract<Step, { kind: 'filter' }>): boolean {
  const [value] = follow([item], left);
  if (operator === 'exists') return value !== undefined;
  if (operator === '==') return value === right;
  if (operator === '!=') return value !== right;
  if (typeof value !== typeof right || (typeof value !== 'number' && typeof value !== 'string')) return false;
  const [a, b] = [value, right as typeof value];
  if (operator === '<') return a < b;
  if (operator === '<=') return a <= b;
  return operator === '>' ? a > b : a >= b;
}

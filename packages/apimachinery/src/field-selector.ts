import { SelectorError } from './label-selector.ts';

export interface FieldRequirement {
  readonly field: string;
  readonly operator: '=' | '!=';
  readonly value: string;
}

export interface FieldMatcher {
  readonly requirements: readonly FieldRequirement[];
  readonly empty: boolean;
  /** `get` returns the empty string for a field that the object does not have. */
  matches(get: (field: string) => string): boolean;
  /** The value that the field must have, where the selector says so exactly. */
  exactly(field: string): string | undefined;
  toString(): string;
}

/** Renames a field or converts a value (`spec.host` → `spec.nodeName`); throws SelectorError for fields that are not selectable. */
export type FieldLabelConversion = (field: string, value: string) => { readonly field: string; readonly value: string };

const escape = (value: string): string => value.replace(/[\\,=]/g, (c) => `\\${c}`);

function unescape(value: string): string {
  let out = '';
  for (let i = 0; i < value.length; i++) {
    const c = value[i]!;
    if (c === '\\') {
      const next = value[++i];
      if (next === undefined || !'\\,='.includes(next))
        throw new SelectorError(`invalid field selector: invalid escape sequence: \\${next ?? ''}`);
      out += next;
    } else if (c === ',' || c === '=') throw new SelectorError(`invalid field selector: unescaped character in value: ${c.charCodeAt(0)}`);
    else out += c;
  }
  return out;
}

function splitTerms(text: string): string[] {
  const terms: string[] = [];
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '\\') i++;
    else if (text[i] === ',') {
      terms.push(text.slice(start, i));
      start = i + 1;
    }
  }
  terms.push(text.slice(start));
  return terms.filter((t) => t !== '').sort();
}

/** Undefined: the term names no field and no value, and says nothing. */
function parseTerm(term: string, whole: string, convert: FieldLabelConversion | undefined): FieldRequirement | undefined {
  const m = /^(.*?)(!=|==|=)(.*)$/s.exec(term);
  if (m === null) throw new SelectorError(`invalid selector: '${whole}'; can't understand '${term}'`);
  const parsed = { field: m[1]!, value: unescape(m[3]!) };
  if (parsed.field === '' && parsed.value === '') return undefined;
  return { ...(convert === undefined ? parsed : convert(parsed.field, parsed.value)), operator: m[2] === '!=' ? '!=' : '=' };
}

export const everyField: FieldMatcher = fieldMatcher([]);

export function fieldMatcher(requirements: readonly FieldRequirement[]): FieldMatcher {
  return {
    requirements,
    empty: requirements.length === 0,
    matches: (get) => requirements.every((r) => (get(r.field) === r.value) === (r.operator === '=')),
    exactly: (field) => requirements.find((r) => r.operator === '=' && r.field === field)?.value,
    toString: () => requirements.map((r) => `${r.field}${r.operator}${escape(r.value)}`).join(','),
  };
}

/** Parses `metadata.name=a,status.phase!=Running` (`\` escapes `,`, `=` and itself). Throws SelectorError with upstream's text: a 400. */
export function parseFieldSelector(text: string, convert?: FieldLabelConversion): FieldMatcher {
  const requirements = splitTerms(text).flatMap((term) => parseTerm(term, text, convert) ?? []);
  return requirements.length === 0 ? everyField : fieldMatcher(requirements);
}

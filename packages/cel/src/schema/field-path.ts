import type { StructuralSchema } from '@skiff/apimachinery';

const escapes: Readonly<Record<string, string>> = { a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v', "'": "'", '\\': '\\' };

/** `['a\'b']` without quotes and escapes; undefined when an escape means nothing. */
function unquote(token: string): string | undefined {
  let ok = true;
  const text = token.slice(1, -1).replace(/\\(.)/gs, (_, c: string) => {
    const known = escapes[c];
    if (known === undefined) ok = false;
    return known ?? '';
  });
  return ok ? text : undefined;
}

/**
 * A rule's `fieldPath` (`.spec.field`, `['key']`) as errors show it, below where the rule stands. Undefined: it is no such path, or the
 * schema has no such field.
 */
export function normalizeFieldPath(path: string, schema: StructuralSchema): string | undefined {
  let rest = path;
  let at: StructuralSchema | undefined = schema;
  let out = '';
  while (rest !== '') {
    const m: RegExpExecArray | null = /^(?:\.([^.[\]]+)|\[('(?:[^'\\]|\\.)*')\])/s.exec(rest);
    if (m === null || at === undefined) return undefined;
    rest = rest.slice(m[0].length);
    const name: string | undefined = m[1] ?? unquote(m[2]!);
    if (name === undefined) return undefined;
    if (at.properties !== undefined) {
      at = Object.hasOwn(at.properties, name) ? at.properties[name] : undefined;
      if (at === undefined) return undefined;
      out += out === '' ? name : `.${name}`;
    } else if (at.additionalProperties !== undefined) {
      at = typeof at.additionalProperties === 'object' ? at.additionalProperties : undefined;
      out += `[${name}]`;
    } else return undefined;
  }
  return out;
}

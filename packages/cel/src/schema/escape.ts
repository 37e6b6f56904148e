import { reservedWords } from '../types.ts';

const escapes: Readonly<Record<string, string>> = { __: '__underscores__', '.': '__dot__', '-': '__dash__', '/': '__slash__' };

/** The name that a property has in expressions: `my-field` → `my__dash__field`. Undefined: it can't be named there. */
export function escapeProperty(name: string): string | undefined {
  if (reservedWords.has(name)) return `__${name}__`;
  if (!/^[a-zA-Z_.\-/][a-zA-Z0-9_.\-/]*$/.test(name)) return undefined;
  return name.replace(/__|[-./]/g, (c) => escapes[c]!);
}

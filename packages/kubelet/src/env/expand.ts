/**
 * Kubernetes' `$(NAME)` references: replaced where `lookup` knows the name, left as they are otherwise; `$$` is a dollar sign.
 */
export function expandVariables(text: string, lookup: (name: string) => string | undefined): string {
  let out = '';
  for (let i = 0; i < text.length; i++) {
    const ch = text[i] as string;
    if (ch !== '$' || i + 1 >= text.length) {
      out += ch;
      continue;
    }
    const next = text[i + 1] as string;
    if (next === '$') {
      out += '$';
      i += 1;
    } else if (next === '(') {
      const end = text.indexOf(')', i + 2);
      if (end < 0) {
        out += '$(';
        i += 1;
      } else {
        const name = text.slice(i + 2, end);
        out += lookup(name) ?? `$(${name})`;
        i = end;
      }
    } else {
      out += `$${next}`;
      i += 1;
    }
  }
  return out;
}

/** For subPathExpr: every name must be known. */
export function expandStrictly(text: string, lookup: (name: string) => string | undefined): string {
  const missing: string[] = [];
  const out = expandVariables(text, (name) => {
    const value = lookup(name);
    if (value === undefined) missing.push(name);
    return value;
  });
  if (missing.length > 0) throw new Error(`missing value for ${missing.map((m) => JSON.stringify(m)).join(', ')}`);
  return out;
}

import type { ControllerDescriptor } from './descriptor.ts';

/**
 * `--controllers`: `*` is every one that is on by default, `name` turns one on, `-name` off; later words win over `*`, names over
 * it in any order. Throws on a name that is none.
 */
export function selectControllers(table: readonly ControllerDescriptor[], words: readonly string[]): readonly ControllerDescriptor[] {
  const known = new Set(table.map((d) => d.name));
  for (const word of words) {
    const name = word.startsWith('-') ? word.slice(1) : word;
    if (name !== '*' && !known.has(name)) throw new Error(`"${name}" is no controller; there are: ${[...known].join(', ')}`);
  }
  const all = words.includes('*');
  return table.filter((d) => words.includes(d.name) || (all && d.offByDefault !== true && !words.includes(`-${d.name}`)));
}

import { RE2JS } from 're2js';
import { CelError } from './values.ts';

const compiled = new Map<string, RE2JS | CelError>();

/** A regular expression in RE2's syntax: matching takes time linear in the text, whatever the pattern. */
export function compileRegex(pattern: string): RE2JS | CelError {
  let regex = compiled.get(pattern);
  if (regex === undefined) {
    try {
      regex = RE2JS.compile(pattern);
    } catch (e) {
      regex = new CelError((e as Error).message);
    }
    if (compiled.size >= 500) compiled.clear();
    compiled.set(pattern, regex);
  }
  return regex;
}

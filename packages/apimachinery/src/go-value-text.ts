import { sortedKeys } from './json-text.ts';
import type { Json } from './object.ts';

/** A decoded JSON value as Go's %v prints it: `map[a:1 b:[x y]]`. */
export function goValueText(value: Json | undefined): string {
  if (value === null || value === undefined) return '<nil>';
  if (Array.isArray(value)) return `[${value.map(goValueText).join(' ')}]`;
  if (typeof value === 'object')
    return `map[${sortedKeys(value)
      .map((k) => `${k}:${goValueText(value[k])}`)
      .join(' ')}]`;
  return String(value);
}

import type { Json } from '../object.ts';
import type { MergeList } from './merge-type.ts';
import { keyElement, valueElement } from './path-element.ts';

/** Why an element of a set or keyed list has no place in it, in structured-merge-diff's words. */
export class ListElementError extends Error {
  override readonly name = 'ListElementError';
}

/** The path element of a list's element. Throws ListElementError. */
export function elementOf(list: MergeList, item: Json): string {
  if (list.relation === 'set') {
    if (item === null) throw new ListElementError("associative list without keys has an element that's an explicit null");
    if (Array.isArray(item)) throw new ListElementError('not supported: associative list with lists as elements');
    if (typeof item === 'object') throw new ListElementError("associative list without keys has an element that's a map type");
    return valueElement(item);
  }
  if (item === null) throw new ListElementError('associative list with keys may not have a null element');
  if (typeof item !== 'object' || Array.isArray(item))
    throw new ListElementError('associative list with keys may not have non-map elements');
  const keys: [string, Json][] = [];
  for (const name of list.keys) {
    const value = item[name] ?? list.keyDefaults.get(name);
    if (value !== undefined && value !== null) keys.push([name, value]);
  }
  if (keys.length === 0) {
    const names = list.keys.map((k) => JSON.stringify(k)).join(' ');
    throw new ListElementError(
      `associative list with keys has an element that omits all key fields [${names}] (and doesn't have default values for any key fields)`,
    );
  }
  return keyElement(keys);
}

/** Elements by their path element, in order; those that cannot be placed are left out (live objects are validated elsewhere). */
export function indexElements(list: MergeList, items: readonly Json[]): Map<string, Json[]> {
  const index = new Map<string, Json[]>();
  for (const item of items) {
    let element: string;
    try {
      element = elementOf(list, item);
    } catch (e) {
      if (e instanceof ListElementError) continue;
      throw e;
    }
    const known = index.get(element);
    if (known === undefined) index.set(element, [item]);
    else known.push(item);
  }
  return index;
}

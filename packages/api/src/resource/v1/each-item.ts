import type { FieldErrors } from '@skiff/apimachinery';

/** Each item by `check`, unless there are too many. `keyOf`: no two with the same, which is said after what is wrong with them. */
export function eachItem<T>(
  errors: FieldErrors,
  path: string,
  items: readonly T[] | null | undefined,
  o: {
    readonly max: number;
    readonly check: (item: T, path: string) => void;
    readonly keyOf?: (item: T) => string;
    /** A key as errors print it. */
    readonly shown?: (item: T) => unknown;
  },
): void {
  const list = items ?? [];
  if (list.length > o.max) return errors.tooMany(path, list.length, o.max);
  for (const [i, item] of list.entries()) o.check(item, `${path}[${i}]`);
  if (o.keyOf === undefined) return;
  const seen = new Set<string>();
  for (const [i, item] of list.entries()) {
    const key = o.keyOf(item);
    if (seen.has(key)) errors.duplicate(`${path}[${i}]`, o.shown === undefined ? key : o.shown(item));
    seen.add(key);
  }
}

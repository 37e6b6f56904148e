/**
 * Compares keys by their UTF-8 bytes, as etcd and Redis order them. JavaScript compares UTF-16 units, which differs only where one
 * side has a surrogate and the other a unit above the surrogates.
 */
export function compareKeys(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return x >= 0xd800 && y >= 0xd800 ? bytesOrder(x) - bytesOrder(y) : x - y;
  }
  return a.length - b.length;
}

/** Moves surrogates (which stand for code points above U+FFFF) behind the rest of the basic plane. */
const bytesOrder = (unit: number): number => (unit >= 0xe000 ? unit - 0x800 : unit + 0x2000);

/** Index of the first key that is not before `key` (`inclusive`) or that is behind it. */
export function lowerBound(keys: readonly string[], key: string, inclusive = true): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const order = compareKeys(keys[middle] as string, key);
    if (order < 0 || (order === 0 && !inclusive)) low = middle + 1;
    else high = middle;
  }
  return low;
}

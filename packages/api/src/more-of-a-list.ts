/** The first `shown` items joined, and how many more there are. */
export function moreOfAList(items: readonly string[], shown: number, separator = ','): string {
  const text = items.slice(0, shown).join(separator);
  return items.length > shown ? `${text} + ${items.length - shown} more...` : text;
}

/** Indexes of an Indexed Job as text: `1,3-5,7`. */

interface Interval {
  readonly first: number;
  readonly last: number;
}

function parseIndex(text: string, completions: number): number | string {
  if (!/^[+-]?\d+$/.test(text)) return `cannot convert string to integer for index: ${JSON.stringify(text)}`;
  return Number(text) >= completions ? `too large index: ${JSON.stringify(text)}` : Number(text);
}

function parseInterval(text: string, completions: number): Interval | string {
  const parts = text.split('-');
  if (parts.length > 2) {
    return `the fragment ${JSON.stringify(text)} violates the requirement that an index interval can have at most two parts separated by '-'`;
  }
  const first = parseIndex(parts[0] ?? '', completions);
  if (typeof first === 'string') return first;
  if (parts[1] === undefined) return { first, last: first };
  const last = parseIndex(parts[1], completions);
  if (typeof last === 'string') return last;
  return first >= last ? `non-increasing order, previous: ${first}, current: ${last}` : { first, last };
}

/** How many indexes the text names, or what is wrong with it. */
export function countIndexes(text: string, completions: number): number | string {
  let total = 0;
  let previous = -Infinity;
  for (const part of text === '' ? [] : text.split(',')) {
    const interval = parseInterval(part, completions);
    if (typeof interval === 'string') return interval;
    if (previous >= interval.first) return `non-increasing order, previous: ${previous}, current: ${interval.first}`;
    total += interval.last - interval.first + 1;
    previous = interval.last;
  }
  return total;
}

/** The first index in both; parts that can't be read are passed over. */
export function commonIndex(a: string, b: string, completions: number): number | undefined {
  const intervals = (text: string): Interval[] =>
    text === ''
      ? []
      : text.split(',').flatMap((part) => {
          const interval = parseInterval(part, completions);
          return typeof interval === 'string' ? [] : [interval];
        });
  const others = intervals(b);
  for (const { first, last } of intervals(a)) {
    const other = others.find((o) => first <= o.last && o.first <= last);
    if (other) return Math.max(first, other.first);
  }
  return undefined;
}

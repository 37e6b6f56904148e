/** Cells of the table that finding a longest common subsequence takes; beyond it what is between equal ends counts as replaced. */
const maxCells = 1_000_000;

/** Line pairs that stay: equal lines at the beginning, and a longest common subsequence of the rest, if that is short enough. */
function matches(a: readonly string[], b: readonly string[]): [number, number][] {
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let [aEnd, bEnd] = [a.length, b.length];
  const isLong = (): boolean => (aEnd - start) * (bEnd - start) > maxCells;
  if (isLong()) while (aEnd > start && bEnd > start && a[aEnd - 1] === b[bEnd - 1]) [aEnd, bEnd] = [aEnd - 1, bEnd - 1];
  const middle = isLong() ? [] : commonSubsequence(a.slice(start, aEnd), b.slice(start, bEnd));
  const pairs: [number, number][] = [];
  for (let i = 0; i < start; i++) pairs.push([i, i]);
  for (const [i, j] of middle) pairs.push([start + i, start + j]);
  for (let i = 0; aEnd + i < a.length; i++) pairs.push([aEnd + i, bEnd + i]);
  return pairs;
}

function commonSubsequence(a: readonly string[], b: readonly string[]): [number, number][] {
  const lengths = Array.from({ length: a.length + 1 }, () => new Uint32Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      const [row, below] = [lengths[i], lengths[i + 1]];
      if (row === undefined || below === undefined) continue;
      row[j] = a[i] === b[j] ? (below[j + 1] ?? 0) + 1 : Math.max(below[j] ?? 0, row[j + 1] ?? 0);
    }
  }
  const pairs: [number, number][] = [];
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    if (a[i] === b[j]) pairs.push([i++, j++]);
    else if ((lengths[i + 1]?.[j] ?? 0) >= (lengths[i]?.[j + 1] ?? 0)) i++;
    else j++;
  }
  return pairs;
}

interface Line {
  readonly mark: ' ' | '-' | '+';
  readonly text: string;
  readonly a: number;
  readonly b: number;
}

function script(a: readonly string[], b: readonly string[]): Line[] {
  const lines: Line[] = [];
  let [i, j] = [0, 0];
  for (const [x, y] of [...matches(a, b), [a.length, b.length] as const]) {
    while (i < x) lines.push({ mark: '-', text: a[i] ?? '', a: i++, b: j });
    while (j < y) lines.push({ mark: '+', text: b[j] ?? '', a: i, b: j++ });
    if (i < a.length || j < b.length) lines.push({ mark: ' ', text: a[i] ?? '', a: i++, b: j++ });
  }
  return lines;
}

const range = (start: number, count: number): string => (count === 1 ? String(start + 1) : `${count === 0 ? start : start + 1},${count}`);

/** A unified diff without file names: `@@ -1,4 +1,4 @@` and lines, three of context. '' when equal. */
export function unifiedDiff(a: readonly string[], b: readonly string[], context = 3): string {
  const lines = script(a, b);
  const changed = lines.flatMap((l, i) => (l.mark === ' ' ? [] : [i]));
  const hunks: [number, number][] = [];
  for (const i of changed) {
    const last = hunks.at(-1);
    const [from, to] = [Math.max(0, i - context), Math.min(lines.length, i + context + 1)];
    if (last && from <= last[1]) last[1] = to;
    else hunks.push([from, to]);
  }
  return hunks
    .map(([from, to]) => {
      const part = lines.slice(from, to);
      const first = part[0] ?? { a: 0, b: 0 };
      const counts = { a: part.filter((l) => l.mark !== '+').length, b: part.filter((l) => l.mark !== '-').length };
      const header = `@@ -${range(first.a, counts.a)} +${range(first.b, counts.b)} @@`;
      return [header, ...part.map((l) => l.mark + l.text)].join('\n');
    })
    .map((hunk) => `${hunk}\n`)
    .join('');
}

/** How upstream shows what changed in what may not change: pretty JSON of both, as a diff. */
export const jsonDiff = (a: unknown, b: unknown): string => unifiedDiff(prettyJson(a).split('\n'), prettyJson(b).split('\n'));

/** With integers beyond 2^53, which JSON.stringify refuses, as they are. */
const prettyJson = (value: unknown): string =>
  JSON.stringify(value, (_, v: unknown) => (typeof v === 'bigint' ? `\0${v}` : v), 1).replace(/"\\u0000(-?\d+)"/g, '$1');

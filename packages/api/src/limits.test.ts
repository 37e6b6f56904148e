import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { builtinResources } from './index.ts';

const page = readFileSync(new URL('../../../docs/LIMITS.md', import.meta.url), 'utf8');

/** `group/Kind` of each kind in the table that follows `title`. What stands in brackets is said about the kind before it. */
function kindsBelow(title: string): string[] {
  const table = page.slice(page.indexOf(title)).split('\n\n')[1] ?? '';
  const rows = table.split('\n').slice(2);
  return rows.flatMap((row) => {
    const [, group = '', kinds = ''] = row.split('|').map((cell) => cell.trim());
    return kinds
      .replaceAll(/ \([^)]*\)/g, '')
      .split(', ')
      .map((kind) => `${group}/${kind}`);
  });
}

const kindsThatAre = (enforcement: 'stored' | 'refused'): string[] => [
  ...new Set(builtinResources.filter((d) => d.enforcement === enforcement).map((d) => `${d.group === '' ? 'core' : d.group}/${d.kind}`)),
];

describe('docs/LIMITS.md', () => {
  it.each([
    ['stored', '**Stored, with a warning'],
    ['refused', '**Refused on every write'],
  ] as const)('names all kinds that are only %s, and no other', (enforcement, title) =>
    expect(kindsBelow(title).sort()).toEqual(kindsThatAre(enforcement).sort()),
  );
});

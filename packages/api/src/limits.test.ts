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

const storedKinds = (): string[] => [
  ...new Set(builtinResources.filter((d) => d.enforcement === 'stored').map((d) => `${d.group === '' ? 'core' : d.group}/${d.kind}`)),
];

describe('docs/LIMITS.md', () => {
  it('names all kinds that are only stored, and no other', () =>
    expect(kindsBelow('**Stored, with a warning').sort()).toEqual(storedKinds().sort()));
});

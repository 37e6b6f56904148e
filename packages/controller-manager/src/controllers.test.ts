import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { controllers } from './controllers.ts';
import { selectControllers } from './select-controllers.ts';

describe('the table of controllers', () => {
  it('has unique names, and either a definition or a run', () => {
    const names = controllers.map((c) => c.name);
    expect(new Set(names).size).toBe(names.length);
    for (const c of controllers) expect((c.define === undefined) !== (c.run === undefined), c.name).toBe(true);
  });
  it('lists every file of the folder', async () => {
    const files = readdirSync(new URL('./controllers/', import.meta.url)).filter((f) => f.endsWith('.ts') && !f.endsWith('.test.ts'));
    for (const file of files) {
      const module = (await import(/* @vite-ignore */ new URL(`./controllers/${file}`, import.meta.url).href)) as Record<string, unknown>;
      expect(
        Object.values(module).some((value) => (controllers as readonly unknown[]).includes(value)),
        file,
      ).toBe(true);
    }
    expect(controllers).toHaveLength(files.length);
  });
});

describe('selectControllers', () => {
  const table = [{ name: 'a' }, { name: 'b' }, { name: 'c', offByDefault: true }];
  it.each([
    [['*'], ['a', 'b']],
    [['*', '-a'], ['b']],
    [
      ['*', 'c'],
      ['a', 'b', 'c'],
    ],
    [['c'], ['c']],
    [[], []],
  ])('%j: %j', (words, expected) => {
    expect(selectControllers(table, words).map((c) => c.name)).toEqual(expected);
  });
  it('refuses unknown names', () => {
    expect(() => selectControllers(table, ['*', '-x'])).toThrow('"x" is no controller');
  });
});

import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { defaultPlugins } from './default-profile.ts';

const kebab = (name: string): string =>
  name
    .replaceAll(/([a-z])([A-Z])/g, '$1-$2')
    .replaceAll(/([A-Z])([A-Z][a-z])/g, '$1-$2')
    .toLowerCase();

describe('the table of plugins', () => {
  const plugins = defaultPlugins({} as never, () => undefined as never).map((entry) => entry.plugin);

  it('has every file of the folder, once, under its name', () => {
    const files = readdirSync(new URL('plugins/', import.meta.url)).filter((file) => !file.endsWith('.test.ts'));
    expect(plugins.map((p) => `${kebab(p.name)}.ts`).sort()).toEqual(files.sort());
  });

  it('knows for each plugin that turns pods away what brings them back', () => {
    const silent = plugins.filter((p) => (p.preEnqueue ?? p.preFilter ?? p.filter ?? p.reserve) !== undefined && p.requeueOn === undefined);
    expect(silent.map((p) => p.name)).toEqual([]);
  });
});

import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const bundle = fileURLToPath(new URL('../dist/bundle', import.meta.url));
const made = existsSync(path.join(bundle, 'main.js'));
if (!made) console.warn('SKIPPED: there is no bundle of the kubelet; scripts/bundle.mjs makes it');

const name = String.raw`(?<part>\./part-\w+\.js)`;
/** How the bundle takes names from what it loads late. */
const uses = [
  new RegExp(String.raw`\{(?<names>[\w$:,]+)\}=await import\("${name}"\)`, 'g'),
  new RegExp(String.raw`import\("${name}"\)\.then\(\(\{(?<names>[\w$:,]+)\}\)`, 'g'),
  new RegExp(String.raw`\(await import\("${name}"\)\)\.(?<names>[\w$]+)`, 'g'),
];

/** By part: the names that others take from it. */
function namesByPart(): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  const seen = new Set<string>();
  const visit = (file: string): void => {
    if (seen.has(file)) return;
    seen.add(file);
    const text = readFileSync(path.join(bundle, file), 'utf8');
    for (const [, part = ''] of text.matchAll(/import\("(\.\/part-\w+\.js)"\)/g)) found.set(part, found.get(part) ?? []);
    for (const form of uses)
      for (const { groups } of text.matchAll(form))
        found.get(groups?.['part'] ?? '')?.push(...(groups?.['names'] ?? '').split(',').map((n) => n.split(':')[0] ?? ''));
    for (const [part] of text.matchAll(/\.\/part-\w+\.js/g)) visit(part);
  };
  visit('main.js');
  return found;
}

describe.skipIf(!made)('the bundle of the kubelet', () => {
  it('finds in its late parts what it takes from them', async () => {
    const wanted = namesByPart();
    expect(wanted.size).toBeGreaterThan(4);
    expect([...wanted].filter(([, names]) => names.length === 0)).toEqual([]);
    const script = `const out = {};
      for (const [part, names] of ${JSON.stringify([...wanted])}) {
        const all = await import(new URL(part, ${JSON.stringify(pathToFileURL(`${bundle}/`).href)}));
        out[part] = names.filter((n) => all[n] === undefined);
      }
      console.log(JSON.stringify(out));`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
    expect(JSON.parse(stdout)).toEqual(Object.fromEntries([...wanted.keys()].map((part) => [part, []])));
  });
});

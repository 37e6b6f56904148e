import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createTypedCodec, parseJson } from '@skiff/apimachinery';
import { describe, expect, it } from 'vitest';
import { builtinSchemas } from './generated/index.ts';

/** Upstream's round-trip fixtures (`testdata/HEAD` of k8s.io/api, in Debian's golang-k8s-api-dev): every field of every kind set. */
const folder = process.env['SKIFF_ROUND_TRIP_FIXTURES'] ?? '';
const present = folder !== '' && existsSync(folder);
if (!present) console.warn('SKIPPED: SKIFF_ROUND_TRIP_FIXTURES does not name the folder of the round-trip fixtures');

describe.skipIf(!present)('round trips of upstream’s fixtures', () => {
  const names = new Map<string, string>();
  for (const name of builtinSchemas.names()) {
    const gvk = builtinSchemas.struct(name)?.groupVersionKind;
    if (gvk !== undefined) names.set(`${gvk.group === '' ? 'core' : gvk.group}.${gvk.version}.${gvk.kind}.json`, name);
  }
  const files = present ? readdirSync(folder).filter((f) => names.has(f)) : [];
  it.each(files)('%s', (file) => {
    const text = readFileSync(join(folder, file), 'utf8');
    const codec = createTypedCodec<object>(builtinSchemas, names.get(file)!);
    const { object, strictErrors } = codec.decode(parseJson(text));
    expect(strictErrors).toEqual([]);
    expect(JSON.stringify(JSON.parse(codec.encodeResponse(object)))).toBe(JSON.stringify(JSON.parse(text)));
  });
});

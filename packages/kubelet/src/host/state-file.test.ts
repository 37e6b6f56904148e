import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { silentLogger } from '@skiff/component-base';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isMapOfObjects, readStateFile, writeStateFile } from './state-file.ts';

describe('state files', () => {
  let dir = '';
  let file = '';
  beforeEach(() => {
    dir = mkdtempSync(path.join(tmpdir(), 'state-'));
    file = path.join(dir, 'a.json');
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  const read = () => readStateFile(file, { empty: {}, isUsable: isMapOfObjects, log: silentLogger });

  it('hold what was written', async () => {
    expect(await read()).toEqual({});
    await writeStateFile(file, { a: { b: 1 } });
    expect(await read()).toEqual({ a: { b: 1 } });
  });

  it.each(['', '{"a":', 'null', '3', '[]', '{"a":1}'])('that are damaged are put aside: %j', async (text) => {
    writeFileSync(file, text);
    expect(await read()).toEqual({});
    expect(existsSync(file)).toBe(false);
    expect(readFileSync(`${file}.broken`, 'utf8')).toBe(text);
  });
});

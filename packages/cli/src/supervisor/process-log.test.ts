import { closeSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openLog, shortenLog } from './process-log.ts';

describe('logs of processes', () => {
  let rootDir = '';
  beforeEach(() => {
    rootDir = mkdtempSync(join(tmpdir(), 'skiff-log-'));
    mkdirSync(join(rootDir, 'log'));
  });
  afterEach(() => rmSync(rootDir, { recursive: true }));
  const content = (file: string): string => readFileSync(join(rootDir, 'log', file), 'utf8');

  it('are shortened while they are written to', () => {
    const log = openLog(rootDir, 'a');
    writeSync(log, 'one two three\n');
    expect(shortenLog(rootDir, 'a', 100)).toBe(false);
    expect(shortenLog(rootDir, 'a', 10)).toBe(true);
    writeSync(log, 'four\n');
    closeSync(log);
    expect([content('a.log.1'), content('a.log')]).toEqual(['one two three\n', 'four\n']);
  });

  it('need not be there', () => expect(shortenLog(rootDir, 'none', 0)).toBe(false));
});

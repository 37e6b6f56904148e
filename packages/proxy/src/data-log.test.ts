import { closeSync, mkdtempSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { boundDataLog, openDataLog } from './data-log.ts';

describe("proxy-data's log", () => {
  it('is cut while it is written to, and the end of it stays', () => {
    const folder = mkdtempSync(join(tmpdir(), 'skiff-log-'));
    const log = openDataLog(folder);
    const path = join(folder, 'proxy-data.log');
    writeSync(log, 'x'.repeat(1024 * 1024));
    boundDataLog(folder);
    expect(statSync(path).size).toBe(1024 * 1024);
    writeSync(log, 'y'.repeat(10 * 1024 * 1024));
    boundDataLog(folder);
    writeSync(log, 'after');
    expect(readFileSync(path, 'utf8')).toBe('after');
    expect(statSync(`${path}.1`).size).toBe(11 * 1024 * 1024);
    closeSync(log);
    rmSync(folder, { recursive: true });
  });
});

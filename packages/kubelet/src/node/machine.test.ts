import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readUsage } from './machine.ts';

describe('readUsage', () => {
  let dir = '';
  beforeEach(() => {
    dir = mkdtempSync(path.join(tmpdir(), 'proc-'));
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  it('tells what the kernel tells', async () => {
    writeFileSync(path.join(dir, 'meminfo'), 'MemTotal:  2048 kB\nMemFree: 1 kB\nMemAvailable:  1024 kB\n');
    expect(await readUsage(dir, dir)).toMatchObject({ memoryCapacityBytes: 2 * 1024 ** 2, memoryAvailableBytes: 1024 ** 2 });
  });

  it('takes what it could not read neither for nothing left nor from another disk', async () => {
    await expect(readUsage(dir, dir)).rejects.toThrow('ENOENT');
    writeFileSync(path.join(dir, 'meminfo'), 'MemTotal:  2048 kB\n');
    await expect(readUsage(dir, dir)).rejects.toThrow("doesn't tell MemAvailable");
    await expect(readUsage(path.join(dir, 'gone'))).rejects.toThrow('ENOENT');
  });
});

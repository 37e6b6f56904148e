import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { rotateLog } from './log-rotation.ts';

describe('rotation of a log', () => {
  let directory = '';
  let file = '';
  beforeEach(async () => {
    directory = await mkdtemp(path.join(os.tmpdir(), 'skiff-log-'));
    file = path.join(directory, '0.log');
  });
  afterEach(() => rm(directory, { recursive: true }));
  const limits = { maxBytes: 4, maxFiles: 3 };
  const begin = (): Promise<void> => writeFile(file, '');

  it('puts aside what is too large, and keeps as many files as it may', async () => {
    await writeFile(file, 'four');
    await rotateLog(file, limits, { reopen: begin, stamp: '1' });
    expect(await readdir(directory)).toEqual(['0.log']);
    for (const stamp of ['1', '2', '3']) {
      await writeFile(file, `large ${stamp}`);
      await rotateLog(file, limits, { reopen: begin, stamp });
    }
    expect(await readdir(directory)).toEqual(['0.log', '0.log.2', '0.log.3']);
    expect(await readFile(`${file}.3`, 'utf8')).toBe('large 3');
  });

  it('puts the file back when the runtime does not go on in a new one', async () => {
    await writeFile(file, 'large');
    const refuse = (): Promise<void> => Promise.reject(new Error('no'));
    await expect(rotateLog(file, limits, { reopen: refuse, stamp: '1' })).rejects.toThrow('no');
    expect(await readFile(file, 'utf8')).toBe('large');
    expect(await readdir(directory)).toEqual(['0.log']);
  });

  it('leaves a new file alone that the runtime began without saying so in time', async () => {
    await writeFile(file, 'large');
    const answerLate = async (): Promise<void> => {
      await writeFile(file, 'new');
      throw new Error('timed out');
    };
    await expect(rotateLog(file, limits, { reopen: answerLate, stamp: '1' })).rejects.toThrow('timed out');
    expect(await readFile(file, 'utf8')).toBe('new');
    expect(await readFile(`${file}.1`, 'utf8')).toBe('large');
  });

  it('has nothing to do without a file', async () => {
    await rotateLog(file, limits, { reopen: begin, stamp: '1' });
    expect(await readdir(directory)).toEqual([]);
  });
});

import { appendFile, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { systemClock } from '@skiff/component-base';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LogLine, LogOptions } from '../streams.ts';
import { formatLogLine, parseLogLine, readLogFile } from './log-file.ts';

const time = (second: number): string => `2026-01-01T00:00:0${second}.000000001Z`;
const lineOf = (second: number, text: string): LogLine => ({ stream: 'stdout', time: time(second), line: Buffer.from(text) });

describe('a log file of the CRI', () => {
  let directory = '';
  let file = '';
  beforeAll(async () => {
    directory = await mkdtemp(path.join(os.tmpdir(), 'skiff-log-'));
    file = path.join(directory, '0.log');
  });
  afterAll(() => rm(directory, { recursive: true }));
  const write = (lines: readonly LogLine[]): Promise<void> => writeFile(file, Buffer.concat(lines.map(formatLogLine)));
  const read = async (o: LogOptions, isRunning: () => Promise<boolean> = async () => false): Promise<string> => {
    let all = '';
    const signal = new AbortController().signal;
    for await (const l of readLogFile(file, { ...o, signal }, { clock: systemClock, isRunning })) all += l.line.toString();
    return all;
  };

  it('says whether a line goes on', () => {
    expect(formatLogLine(lineOf(1, 'whole\n')).toString()).toBe(`${time(1)} stdout F whole\n`);
    expect(formatLogLine(lineOf(1, 'part')).toString()).toBe(`${time(1)} stdout P part\n`);
    for (const text of ['whole\n', 'part', '\n', ' spaces \n'])
      expect(parseLogLine(formatLogLine(lineOf(1, text)))).toEqual(lineOf(1, text));
    expect(parseLogLine(Buffer.from('not a log\n'))).toBeUndefined();
  });

  it.each<[LogOptions, string]>([
    [{ follow: false }, 'one\ntwo\nthree\n'],
    [{ follow: false, tailLines: 2 }, 'two\nthree\n'],
    [{ follow: false, tailLines: 9 }, 'one\ntwo\nthree\n'],
    [{ follow: false, tailLines: 0 }, ''],
    [{ follow: false, sinceMs: Date.parse(time(2)) }, 'two\nthree\n'],
  ])('reads with %o', async (options, expected) => {
    await write([lineOf(1, 'one\n'), lineOf(2, 'two\n'), lineOf(3, 'three\n')]);
    expect(await read(options)).toBe(expected);
  });

  it('follows over a rotation to the end', async () => {
    await write([lineOf(1, 'before\n')]);
    const steps = [
      () => appendFile(file, formatLogLine(lineOf(2, 'more\n'))),
      () => rename(file, `${file}.1`),
      () => write([lineOf(3, 'after\n')]),
    ];
    const isRunning = async (): Promise<boolean> => {
      await steps.shift()?.();
      return steps.length > 0;
    };
    expect(await read({ follow: true }, isRunning)).toBe('before\nmore\nafter\n');
  });

  it('takes a file that is not there for empty', async () => {
    await rm(file, { force: true });
    expect(await read({ follow: false })).toBe('');
  });
});

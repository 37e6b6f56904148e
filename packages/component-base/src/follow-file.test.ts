import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import type { Clock } from './clock.ts';
import { followFile } from './follow-file.ts';

it('hands over what a file says when it says something else, and goes on after what is wrong', async () => {
  const file = join(mkdtempSync(join(tmpdir(), 'follow-')), 'f');
  const sleepers: (() => void)[] = [];
  const clock = {
    sleep: (_ms: number, signal?: AbortSignal) =>
      new Promise<void>((resolve, reject) => {
        sleepers.push(resolve);
        signal?.addEventListener('abort', () => reject(new Error('aborted')));
      }),
  } as unknown as Clock;
  const turn = async (): Promise<void> => {
    await vi.waitFor(() => expect(sleepers).toHaveLength(1), 20_000);
    sleepers.pop()?.();
    await vi.waitFor(() => expect(sleepers).toHaveLength(1), 20_000);
  };
  writeFileSync(file, 'one');
  const used: string[] = [];
  const failures: unknown[] = [];
  const stop = new AbortController();
  const use = (text: string): void => {
    if (text === 'bad') throw new Error('bad');
    used.push(text);
  };
  const done = followFile(file, { clock, use, failed: (e) => failures.push(e) }, stop.signal);
  await turn();
  writeFileSync(file, 'two');
  await turn();
  await turn();
  writeFileSync(file, 'bad');
  await turn();
  await turn();
  rmSync(file);
  await turn();
  writeFileSync(file, 'three');
  await turn();
  expect(used).toEqual(['two', 'three']);
  expect(failures).toHaveLength(2);
  stop.abort();
  await done;
});

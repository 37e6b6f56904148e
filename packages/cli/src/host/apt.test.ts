import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { apt } from './apt.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'apt-'));
  vi.stubEnv('PATH', `${folder}:${process.env['PATH'] ?? ''}`);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});
/** Plays apt-get: says `text` and fails until it was called `times`. */
const play = (times: number, text: string): void =>
  writeFileSync(
    join(folder, 'apt-get'),
    `#!/bin/sh\necho "$@" >> ${folder}/calls\n[ $(wc -l < ${folder}/calls) -ge ${times} ] && exit 0\necho '${text}' >&2\nexit 100\n`,
    { mode: 0o755 },
  );
const calls = (): readonly string[] => readFileSync(join(folder, 'calls'), 'utf8').trim().split('\n');

it('waits for another apt-get that holds a lock', async () => {
  play(3, 'E: Could not get lock /var/lib/apt/lists/lock. It is held by process 7 (apt-get)');
  await apt(['update'], 1);
  expect(calls()).toHaveLength(3);
  expect(calls()[0]).toContain('DPkg::Lock::Timeout=300');
});

it('tells at once what else is wrong', async () => {
  play(2, 'E: Unable to locate package nothing');
  await expect(apt(['install', 'nothing'], 1)).rejects.toThrow(
    'apt-get install nothing failed (exit code 100):\n  E: Unable to locate package nothing',
  );
  expect(calls()).toHaveLength(1);
});

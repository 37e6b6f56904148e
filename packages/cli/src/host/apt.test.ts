import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { apt, withoutServices } from './apt.ts';

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
  const said: string[] = [];
  await apt(['update'], { pauseMs: 1, note: (text) => said.push(text) });
  expect(said[0]).toContain('another apt-get');
  expect(calls()).toHaveLength(3);
  expect(calls()[0]).toContain('DPkg::Lock::Timeout=300');
});

it('tells at once what else is wrong', async () => {
  play(2, 'E: Unable to locate package nothing');
  await expect(apt(['install', 'nothing'], { pauseMs: 1 })).rejects.toThrow(
    'apt-get install nothing failed (exit code 100):\n  E: Unable to locate package nothing',
  );
  expect(calls()).toHaveLength(1);
});

it('lets services start again after the work, also when a signal ends it or an earlier run was killed', async () => {
  const path = join(folder, 'policy-rc.d');
  let left = '';
  await withoutServices(async () => void (left = readFileSync(path, 'utf8')), path);
  expect(existsSync(path)).toBe(false);

  writeFileSync(path, left);
  const exit = vi.spyOn(process, 'exit').mockImplementation((() => undefined) as never);
  await withoutServices(async () => {
    process.emit('SIGINT', 'SIGINT');
    expect(existsSync(path)).toBe(false);
    expect(exit).toHaveBeenCalledWith(130);
  }, path);
  exit.mockRestore();

  writeFileSync(path, '#!/bin/sh\nexit 101\n');
  await withoutServices(async () => undefined, path);
  expect(existsSync(path)).toBe(true);
});

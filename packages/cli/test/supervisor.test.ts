import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger, systemClock } from '@skiff/component-base';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { ProcessDefinition } from '../src/supervisor/processes.ts';
import { isAlive, readState, type ProcessState } from '../src/supervisor/state.ts';
import { createSupervisor } from '../src/supervisor/supervisor.ts';

let rootDir = '';
beforeEach(() => {
  rootDir = mkdtempSync(join(tmpdir(), 'skiff-supervisor-'));
});
afterEach(() => rmSync(rootDir, { recursive: true, force: true }));

/** Notes its start and its end in one file. `ignoresTerm`: only SIGKILL ends it. */
const noting = (name: string, o: { ignoresTerm?: boolean } = {}): ProcessDefinition => ({
  name,
  command: 'sh',
  args: [
    '-c',
    `trap '${o.ignoresTerm ? '' : `echo stop ${name} >> ${rootDir}/notes; exit 0`}' TERM; echo start ${name} >> ${rootDir}/notes; while :; do sleep 0.05; done`,
  ],
  stopSeconds: o.ignoresTerm ? 1 : 30,
});
const notes = (): readonly string[] => readFileSync(join(rootDir, 'notes'), 'utf8').trim().split('\n');

async function until<T>(check: () => T | undefined | false): Promise<T> {
  const deadline = Date.now() + 40_000;
  for (;;) {
    try {
      const value = check();
      if (value !== undefined && value !== false) return value;
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
    if (Date.now() > deadline) throw new Error('not within 40 s');
    await new Promise((r) => setTimeout(r, 10));
  }
}
const state = (name: string): ProcessState | undefined => readState(rootDir)?.processes[name];
/** Once the supervisor has written it down. */
const pidOf = (name: string): Promise<number> => until(() => state(name)?.pid);

it('starts in order, starts again what is killed, stops in reverse order', async () => {
  const stop = new AbortController();
  const running = createSupervisor({ rootDir, processes: [noting('a'), noting('b')] }, { clock: systemClock, log: silentLogger }).run(
    stop.signal,
  );
  await until(() => notes().length === 2);
  const first = await pidOf('a');
  process.kill(first, 'SIGKILL');
  const second = await until(() => {
    const now = state('a');
    return now?.pid !== undefined && now.pid !== first && isAlive(now) && now;
  });
  expect(second.restarts).toBe(1);
  await until(() => notes().length === 3);
  stop.abort();
  await running;
  expect(notes().slice(3)).toEqual(['stop b', 'stop a']);
  expect(isAlive(second)).toBe(false);
});

it('kills what does not end in time', async () => {
  const stop = new AbortController();
  const running = createSupervisor(
    { rootDir, processes: [noting('deaf', { ignoresTerm: true })] },
    { clock: systemClock, log: silentLogger },
  ).run(stop.signal);
  await until(() => notes().length === 1);
  await pidOf('deaf');
  const deaf = state('deaf');
  stop.abort();
  await running;
  expect(isAlive(deaf)).toBe(false);
});

it('does not start again what has lost its data, until that is back', async () => {
  const data = { folder: join(rootDir, 'data'), suffix: '.wal', marker: join(rootDir, 'had-data'), lost: 'the data is gone' };
  const stop = new AbortController();
  const running = createSupervisor({ rootDir, processes: [{ ...noting('keeper'), data }] }, { clock: systemClock, log: silentLogger }).run(
    stop.signal,
  );
  await until(() => notes().length === 1);
  mkdirSync(data.folder);
  const file = join(data.folder, '1.wal');
  writeFileSync(file, '');
  await until(() => existsSync(data.marker));
  rmSync(file);
  process.kill(await pidOf('keeper'), 'SIGKILL');
  await until(() => state('keeper')?.lastExit === 'the data is gone');
  expect(notes()).toEqual(['start keeper']);
  writeFileSync(file, '');
  await until(() => notes().length === 2);
  stop.abort();
  await running;
});

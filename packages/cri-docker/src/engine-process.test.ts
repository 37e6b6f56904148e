import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { findEngineProcess } from './engine-process.ts';

const children: ChildProcess[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
});

/** A process called dockerd that listens at a socket. */
async function engineAt(folder: string, socket: string): Promise<number> {
  const script = `require('node:net').createServer().listen(${JSON.stringify(socket)}, () => console.log('up'))`;
  const child = spawn(join(folder, 'dockerd'), ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  await once(child.stdout, 'data');
  return child.pid ?? 0;
}

it.runIf(process.platform === 'linux')('is the one that listens at the socket, whatever else is called dockerd', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'engine-'));
  symlinkSync(process.execPath, join(folder, 'dockerd'));
  const first = await engineAt(folder, join(folder, 'first.sock'));
  const second = await engineAt(folder, join(folder, 'second.sock'));
  expect(await findEngineProcess(join(folder, 'first.sock'))).toBe(first);
  expect(await findEngineProcess(join(folder, 'second.sock'))).toBe(second);
});

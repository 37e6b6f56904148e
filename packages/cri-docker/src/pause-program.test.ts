import { spawn } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { emitPauseProgram } from './pause-program.ts';

describe('the pause program', () => {
  it('is an executable of a few hundred bytes for each architecture', () => {
    for (const [architecture, machine] of [
      ['amd64', 62],
      ['arm64', 183],
    ] as const) {
      const bytes = emitPauseProgram(architecture);
      expect(bytes.subarray(0, 4).toString('latin1')).toBe('\x7fELF');
      expect(bytes.readUInt16LE(18)).toBe(machine);
      expect(bytes.length).toBeLessThan(400);
      expect(bytes.readBigUInt64LE(96)).toBe(BigInt(bytes.length));
    }
  });

  it.skipIf(os.platform() !== 'linux' || os.arch() !== 'x64')('waits, and ends well on SIGTERM and SIGINT', async () => {
    const file = path.join(mkdtempSync(path.join(os.tmpdir(), 'pause-')), 'pause');
    writeFileSync(file, emitPauseProgram('amd64'), { mode: 0o755 });
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      const child = spawn(file);
      await new Promise((resolve) => child.once('spawn', resolve));
      const ended = new Promise((resolve) => child.once('exit', (code) => resolve(code)));
      // What comes before the program blocks its signals would kill it.
      while (!(await isWaiting(child.pid ?? 0))) await new Promise((resolve) => setImmediate(resolve));
      child.kill('SIGCHLD');
      child.kill(signal);
      expect(await ended).toBe(0);
    }
  });
});

/** It sits in rt_sigtimedwait, call number 128. */
async function isWaiting(pid: number): Promise<boolean> {
  const { readFile } = await import('node:fs/promises');
  return (await readFile(`/proc/${pid}/syscall`, 'utf8')).startsWith('128 ');
}

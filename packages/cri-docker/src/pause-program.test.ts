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
      // Blocked signals stay pending: what comes before the program blocks them would kill it, so ask until it has.
      while (!(await isBlocked(child.pid ?? 0))) await new Promise((resolve) => setImmediate(resolve));
      child.kill('SIGCHLD');
      child.kill(signal);
      expect(await ended).toBe(0);
    }
  });
});

async function isBlocked(pid: number): Promise<boolean> {
  const { readFile } = await import('node:fs/promises');
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return (Number.parseInt(/^SigBlk:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? '0', 16) & 0x4000) !== 0;
}

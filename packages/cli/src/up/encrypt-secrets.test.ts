import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { identityOf, writeState } from '../supervisor/state.ts';
import { hasEncryptionKey } from './encrypt-secrets.ts';

it('an apiserver of before the key is told from one that has it', async () => {
  const root = mkdtempSync(join(os.tmpdir(), 'encrypt-'));
  mkdirSync(join(root, 'run'));
  const tell = (pid: number): void =>
    writeState(root, {
      supervisor: { pid: 1, startTicks: 0 },
      processes: { apiserver: { ...identityOf(pid), startedAtMs: 0, restarts: 0 } },
    });
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)', '--', '--encryption-provider-config=/key']);
  const ended = new Promise((resolve) => child.once('exit', resolve));
  try {
    expect(hasEncryptionKey(root)).toBe(false);
    tell(process.pid);
    expect(hasEncryptionKey(root)).toBe(false);
    tell(child.pid ?? 0);
    expect(hasEncryptionKey(root)).toBe(true);
  } finally {
    child.kill('SIGKILL');
    await ended;
    rmSync(root, { recursive: true, force: true });
  }
});

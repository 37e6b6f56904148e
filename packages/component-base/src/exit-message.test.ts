import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { exitMessage } from './exit-message.ts';
import { FlagError } from './flags.ts';

describe('what a process says last', () => {
  it('is one line about a port that is taken', async () => {
    const first = createServer();
    await new Promise<void>((resolve) => first.listen(0, '127.0.0.1', resolve));
    const { port } = first.address() as AddressInfo;
    const error = await new Promise<Error>((resolve) => createServer().once('error', resolve).listen(port, '127.0.0.1'));
    expect(exitMessage(error)).toBe(
      `can't listen on 127.0.0.1:${port}: another process has this port; choose another one or stop that process`,
    );
    await new Promise<void>((resolve) => void first.close(() => resolve()));
  });
  it('is one line about a file that is not there', async () => {
    const error: unknown = await readFile('/nowhere/admin.conf').catch((e: unknown) => e);
    expect(exitMessage(error)).toBe("can't read /nowhere/admin.conf: no such file");
  });
  it('is the message of a wrong flag', () => expect(exitMessage(new FlagError('--port takes a number'))).toBe('--port takes a number'));
  it('is the stack of what nobody expected', () => expect(exitMessage(new TypeError('x'))).toMatch(/^TypeError: x\n\s+at /));
  it('takes what is no error', () => expect(exitMessage('gone')).toBe('gone'));
});

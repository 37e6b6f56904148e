import { expect, it } from 'vitest';
import { CommandFailed, runCommand } from './run-command.ts';

it('gives what each of many programs printed that are started at once', async () => {
  const said = await Promise.all(Array.from({ length: 10 }, (_, i) => runCommand('cat', [], `input ${i}`)));
  expect(said).toEqual(Array.from({ length: 10 }, (_, i) => `input ${i}`));
});

it('gives programs the environment of this process', async () => {
  expect(await runCommand('sh', ['-c', 'printf %s "$PATH"'])).toBe(process.env['PATH']);
});

it('tells what a program said that failed, and that one is missing', async () => {
  await expect(runCommand('sh', ['-c', 'echo no >&2; exit 3'])).rejects.toThrow(
    new CommandFailed('sh -c echo no >&2; exit 3: exit code 3: no'),
  );
  await expect(runCommand('/no/such/program', [])).rejects.toThrow(/can't be run: spawn \/no\/such\/program ENOENT/);
});

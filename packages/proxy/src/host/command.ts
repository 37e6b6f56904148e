import { spawn } from 'node:child_process';

export class CommandFailed extends Error {}

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program without a shell. Resolves whatever its exit code; throws CommandFailed when it can't be started. */
export type RunCommand = (command: string, args: readonly string[], input?: string) => Promise<CommandResult>;

export const runCommand: RunCommand = (command, args, input) =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (b: Buffer) => out.push(b));
    child.stderr.on('data', (b: Buffer) => err.push(b));
    child.on('error', (error) => reject(new CommandFailed(`${command} can't be run: ${error.message}`, { cause: error })));
    child.on('close', (code) => resolve({ code: code ?? 1, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() }));
    // A program that ends without reading its input is judged by its exit code.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input ?? '');
  });

/** As `run`, but any exit code other than 0 throws CommandFailed with what the program said. */
export async function runOk(run: RunCommand, command: string, args: readonly string[], input?: string): Promise<string> {
  const result = await run(command, args, input);
  if (result.code === 0) return result.stdout;
  throw new CommandFailed(
    `${command} ${args.join(' ')}: exit code ${result.code}: ${(result.stderr || result.stdout).trim().slice(0, 2000)}`,
  );
}

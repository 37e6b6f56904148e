import { spawn } from 'node:child_process';
import { createTurns } from './turns.ts';

export class CommandFailed extends Error {}

/** Runs a program without a shell and resolves with its output. Throws CommandFailed with what it said when it fails. */
export type RunCommand = (command: string, args: readonly string[], input?: string) => Promise<string>;

/** Node waits for the new process to have begun, which is milliseconds of everybody's time: a hundred pods that end at once would be a second. */
const myTurn = createTurns();
/** It never changes, and reading it from the process is a tenth of what a start costs. */
const env = { ...process.env };

export const runCommand: RunCommand = async (command, args, input) => {
  await myTurn();
  return await new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], env });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (b: Buffer) => out.push(b));
    child.stderr.on('data', (b: Buffer) => err.push(b));
    child.on('error', (cause) => reject(new CommandFailed(`${command} can't be run: ${cause.message}`, { cause })));
    child.on('close', (code) => {
      if (code === 0) resolve(Buffer.concat(out).toString());
      else {
        const said = Buffer.concat(err).toString().trim() || Buffer.concat(out).toString().trim();
        reject(new CommandFailed(`${command} ${args.join(' ')}: exit code ${code ?? 'none'}: ${said.slice(0, 2000)}`));
      }
    });
    // A program that ends without reading its input is judged by its exit code.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input ?? '');
  });
};

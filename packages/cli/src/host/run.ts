import { spawn } from 'node:child_process';

export interface RunResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program without a shell and collects what it prints. Resolves whatever its exit code; 127 when it is not installed. */
export function run(
  command: string,
  args: readonly string[],
  o: { env?: NodeJS.ProcessEnv; input?: string; timeoutMs?: number } = {},
): Promise<RunResult> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { env: o.env ?? process.env, stdio: ['pipe', 'pipe', 'pipe'], timeout: o.timeoutMs });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (b: Buffer) => out.push(b));
    child.stderr.on('data', (b: Buffer) => err.push(b));
    child.on('error', (error) => resolve({ code: 127, stdout: '', stderr: error.message }));
    child.on('close', (code) => resolve({ code: code ?? 1, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() }));
    child.stdin.on('error', () => child.kill());
    child.stdin.end(o.input ?? '');
  });
}

export class CommandFailed extends Error {}

/** As `run`, but anything other than exit code 0 throws with what the program said. */
export async function runOk(command: string, args: readonly string[], o: Parameters<typeof run>[2] = {}): Promise<string> {
  const result = await run(command, args, o);
  if (result.code !== 0) {
    // Where in its program something failed tells nobody what failed.
    const lines = (result.stderr || result.stdout).trim().split('\n');
    const said = lines
      .filter((line) => !/^\s+at /.test(line))
      .slice(-6)
      .join('\n  ');
    throw new CommandFailed(`${command} ${args.join(' ')} failed (exit code ${result.code}):\n  ${said}`);
  }
  return result.stdout;
}

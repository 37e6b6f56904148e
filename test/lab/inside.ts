import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import type { CommandResult } from '../e2e/support/cluster.ts';
import { hierarchies, ownGroup } from './cgroups.ts';

/** A program that runs in a host of the lab. Its end is seen in `child`. */
export interface InsideProcess {
  readonly child: ChildProcessByStdio<Writable, Readable, Readable>;
  /** Resolves with the exit code; a signal counts as 128 + its number, as in a shell. */
  readonly ended: Promise<number>;
  /** Signals the program itself, not what carries it into the host. SIGKILL takes what it started along, unless that left the group. */
  kill(signal?: NodeJS.Signals): void;
}

export interface RunOptions {
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** After which the program is killed (SIGKILL). */
  readonly timeoutMs?: number;
}

/** Enters the host's cgroups, then runs the program. `$0` of the script is the working directory. */
function entering(): string {
  const files = hierarchies().map((h) => `${h.point}${h.type === 'cgroup2' ? `/${ownGroup}` : ''}/cgroup.procs`);
  return `for f in ${files.join(' ')}; do echo $$ >"$f" || exit 126; done; cd "$0" && exec "$@"`;
}

/** The command line that runs a program in all namespaces of the process `pid`. */
export const insideCommand = (pid: number, program: string, args: readonly string[], cwd = '/'): readonly string[] => [
  'nsenter',
  '-t',
  String(pid),
  '-m',
  '-u',
  '-i',
  '-n',
  '-p',
  '-C',
  '--',
  '/bin/sh',
  '-c',
  entering(),
  cwd,
  program,
  ...args,
];

/** Starts a program in the namespaces of `pid`. */
export function spawnInside(
  pid: number,
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  o: RunOptions = {},
): InsideProcess {
  const [command = '', ...rest] = insideCommand(pid, program, args, o.cwd);
  // A group of its own: an interrupt at the terminal ends the test, and with it the hosts; not the programs before.
  const child = spawn(command, rest, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...env, ...o.env }, detached: true });
  child.stdin.on('error', () => undefined);
  const ended = new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve(code ?? 128 + (signal === 'SIGKILL' ? 9 : 15)));
  });
  ended.catch(() => undefined);
  return {
    child,
    ended,
    kill(signal = 'SIGTERM') {
      const carrier = child.pid;
      if (carrier === undefined || child.exitCode !== null || child.signalCode !== null) return;
      if (signal === 'SIGKILL') {
        process.kill(-carrier, signal);
        return;
      }
      // nsenter forks to enter the PID namespace and waits for its only child.
      const inner = Number(readFileSync(`/proc/${carrier}/task/${carrier}/children`, 'utf8').trim());
      process.kill(inner > 0 ? inner : carrier, signal);
    },
  };
}

/** More than commands take before they tell what they wait for in vain: `up` and `join` have two minutes. */
const patienceMs = 180_000;

/** Runs a program in the namespaces of `pid` to its end; never throws for an exit code. */
export async function runInside(
  pid: number,
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  o: RunOptions = {},
): Promise<CommandResult> {
  const started = performance.now();
  const { timeoutMs = patienceMs } = o;
  const running = spawnInside(pid, program, args, env, o);
  let stdout = '';
  let stderr = '';
  running.child.stdout.setEncoding('utf8').on('data', (d: string) => {
    stdout += d;
  });
  running.child.stderr.setEncoding('utf8').on('data', (d: string) => {
    stderr += d;
  });
  running.child.stdin.end(o.input ?? '');
  const timer = setTimeout(() => {
    stderr += `\n(killed after ${timeoutMs / 1000} s)`;
    running.kill('SIGKILL');
  }, timeoutMs);
  try {
    const code = await running.ended;
    return { code, stdout, stderr, ms: performance.now() - started };
  } finally {
    clearTimeout(timer);
  }
}

/** What a program prints first. Throws with its errors when it ends before it says a word. */
export function firstWords({ child, ended }: InsideProcess): Promise<string> {
  let errors = '';
  child.stderr.on('data', (d: Buffer) => {
    errors += d.toString();
  });
  return new Promise((resolve, reject) => {
    child.stdout.once('data', (d: Buffer) => resolve(d.toString()));
    ended.then((code) => reject(new Error(`${child.spawnargs.slice(-3).join(' ')} ended with ${code}: ${errors}`)), reject);
  });
}

import { PassThrough } from 'node:stream';

/** What a fake process can reach while it runs. */
export interface FakeProcess {
  readonly args: readonly string[];
  readonly env: ReadonlyMap<string, string>;
  readonly stdin: PassThrough | undefined;
  readonly stdout: PassThrough;
  readonly stderr: PassThrough;
  /** Fires with the signal's name; the process decides what to do. SIGKILL never gets here. */
  onSignal(handler: (name: string) => void): void;
  exit(code: number): void;
}

/**
 * A program of the fake: an argv such as `['exit', '3']`. `run` calls `exit` at some time or never.
 */
export type FakeProgram = (process: FakeProcess) => void;

const signalNumbers: Readonly<Record<string, number>> = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGKILL: 9, SIGTERM: 15, SIGUSR1: 10 };
export const exitCodeOfSignal = (name: string): number => 128 + (signalNumbers[name] ?? 15);

/** The programs every fake image has. A test may add its own. */
export const fakePrograms: Readonly<Record<string, FakeProgram>> = {
  /** Runs until it is told to stop. */
  pause: (p) => p.onSignal((name) => p.exit(exitCodeOfSignal(name))),
  /** Ignores every signal but SIGKILL, and says when it does. */
  stubborn: (p) => {
    p.onSignal(() => undefined);
    p.stdout.write('deaf\n');
  },
  exit: (p) => p.exit(Number(p.args[1] ?? '0')),
  /** Writes its arguments, one a line, and ends. */
  print: (p) => {
    for (const text of p.args.slice(1)) p.stdout.write(`${text}\n`);
    p.exit(0);
  },
  complain: (p) => {
    for (const text of p.args.slice(1)) p.stderr.write(`${text}\n`);
    p.exit(1);
  },
  /** Copies its input to its output until the input ends. */
  cat: (p) => {
    if (p.stdin === undefined) return p.exit(0);
    p.onSignal((name) => p.exit(exitCodeOfSignal(name)));
    p.stdin.on('data', (chunk: Buffer) => p.stdout.write(chunk));
    p.stdin.on('end', () => p.exit(0));
  },
  env: (p) => {
    for (const [name, value] of p.env) p.stdout.write(`${name}=${value}\n`);
    p.exit(0);
  },
};

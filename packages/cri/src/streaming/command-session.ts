import type { Readable, Writable } from 'node:stream';
import type { Status } from '@skiff/apimachinery';
import { isRuntimeError } from '../runtime-error.ts';
import type { ExecProcess, ProcessStreams, TerminalSize } from '../streams.ts';

/**
 * A client's end of exec or attach, whatever carries it. `stdin` ends when the client ends its input; `closed` resolves when the
 * client is gone.
 */
export interface CommandSession {
  readonly stdin: Readable | undefined;
  readonly stdout: Writable | undefined;
  readonly stderr: Writable | undefined;
  /** Sizes of the client's terminal, as they come. */
  onResize(listener: (size: TerminalSize) => void): void;
  /** The outcome, on the error channel in the form that the agreed protocol has. Sent after all output. */
  finish(status: Status): Promise<void>;
  readonly closed: Promise<void>;
  destroy(): void;
}

const success: Status = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 0 };

/** The Status of a finished command, as client-go reads exit codes from it. */
export function renderExitStatus(exitCode: number): Status {
  if (exitCode === 0) return success;
  return {
    ...success,
    status: 'Failure',
    message: `command terminated with non-zero exit code: exit status ${exitCode}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(exitCode) }] },
  };
}

export const renderErrorStatus = (error: unknown): Status => ({
  ...success,
  status: 'Failure',
  message: error instanceof Error ? error.message : String(error),
  reason: 'InternalError',
  code: 500,
});

/** What goes over the wire: upstream leaves out the type and a code of 0. */
export const encodeStatus = (s: Status): string => {
  const { kind: _kind, apiVersion: _apiVersion, code, ...rest } = s;
  return JSON.stringify({ ...rest, ...(code === 0 ? {} : { code }) });
};

const ended = (stream: NodeJS.ReadableStream): Promise<void> =>
  new Promise((resolve) => {
    stream.once('end', resolve);
    stream.once('close', resolve);
  });
const flushed = (stream: Writable | undefined): Promise<void> =>
  stream === undefined || stream.destroyed
    ? Promise.resolve()
    : new Promise((resolve) => {
        stream.once('close', resolve);
        stream.end(resolve);
      });

function connect(session: CommandSession, process: ProcessStreams, endInput: boolean): Promise<unknown> {
  if (session.stdin !== undefined && process.stdin !== undefined) {
    // The process may end without reading all of its input.
    process.stdin.on('error', () => undefined);
    session.stdin.pipe(process.stdin, { end: endInput });
  }
  const outputs: Promise<void>[] = [];
  for (const [from, to] of [
    [process.stdout, session.stdout],
    [process.stderr, session.stderr],
  ] as const) {
    if (from === undefined) continue;
    outputs.push(ended(from));
    if (to === undefined) from.resume();
    else {
      to.on('error', () => from.resume());
      from.pipe(to, { end: false });
    }
  }
  session.onResize((size) => void process.resize(size));
  return Promise.all(outputs);
}

/** Runs an exec'ed process for a client to the end of either. A client that goes away lets go of the streams; the process lives on. */
export async function serveExec(session: CommandSession, start: () => Promise<ExecProcess>): Promise<void> {
  let process: ExecProcess;
  try {
    process = await start();
  } catch (error) {
    await session.finish(renderErrorStatus(error));
    return;
  }
  const outputs = connect(session, process, true);
  const outcome = outputs.then(() => process.exitCode).then(renderExitStatus, renderErrorStatus);
  const first = await Promise.race([outcome, session.closed.then(() => undefined)]);
  if (first !== undefined) {
    await Promise.all([flushed(session.stdout), flushed(session.stderr)]);
    await session.finish(first);
  }
  process.close();
}

/**
 * Connects a client to a running container until either is gone. `endInput`: the end of the client's input is the container's
 * (stdinOnce); otherwise it ends the connection, and others may attach later.
 */
export async function serveAttach(session: CommandSession, attach: () => Promise<ProcessStreams>, endInput: boolean): Promise<void> {
  let streams: ProcessStreams;
  try {
    streams = await attach();
  } catch (error) {
    await session.finish(renderErrorStatus(isRuntimeError(error) ? new Error(error.message) : error));
    return;
  }
  const outputs = connect(session, streams, endInput);
  const over = outputs.then(() => true);
  const left = endInput ? over : inputEnded(session, streams).then(() => true);
  if (await Promise.race([over, left, session.closed.then(() => false)])) {
    await Promise.all([flushed(session.stdout), flushed(session.stderr)]);
    await session.finish(success);
  }
  streams.close();
}

/** Resolves when the client has ended its input and the container has all of it; never where there is no input. */
function inputEnded({ stdin: from }: CommandSession, { stdin: to }: ProcessStreams): Promise<void> {
  return new Promise((resolve) => from?.once('end', () => (to === undefined ? resolve() : to.write('', () => resolve()))));
}

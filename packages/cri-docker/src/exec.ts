import type { Duplex } from 'node:stream';
import {
  type ExecProcess,
  type ExecRequest,
  type ExecSyncResult,
  type ProcessStreams,
  RuntimeError,
  type RuntimeService,
} from '@skiff/cri';
import type { Engine } from './engine.ts';
import { asRuntimeError } from './engine-error.ts';
import { demultiplex, type Outputs, plainOutput } from './multiplexed.ts';

/** A sequence nobody types; the engine's default would swallow Ctrl-P. */
const detachKeys = 'ctrl-^,ctrl-],ctrl-[,ctrl-_';
const outputLimitBytes = 16 * 1024 * 1024;
const resizeTries = 5;
/** Two seconds after a process has ended the engine throws away what nobody has read of its output. */
const endedLookMs = 400;

/** Streams over a taken-over connection: multiplexed without a TTY, plain with one. */
export function streamsOf(
  connection: Duplex,
  o: { tty: boolean; stdin: boolean; resize: ProcessStreams['resize'] },
): ProcessStreams & Pick<Outputs, 'heldBack' | 'hurry'> {
  // A client that vanished is seen by the readers' end; the socket's own error has nobody else to go to.
  connection.on('error', () => undefined);
  const { stdout, stderr, heldBack, hurry } = o.tty ? plainOutput(connection) : demultiplex(connection);
  return {
    ...(o.stdin ? { stdin: connection } : {}),
    stdout,
    ...(stderr === undefined ? {} : { stderr }),
    resize: o.resize,
    heldBack,
    hurry,
    close: () => {
      connection.destroy();
      stdout.destroy();
      stderr?.destroy();
    },
  };
}

const endOf = (stream: NodeJS.ReadableStream | undefined): Promise<void> =>
  stream === undefined
    ? Promise.resolve()
    : new Promise((resolve) => {
        stream.once('end', resolve);
        stream.once('close', resolve);
      });

/** exec, execSync and attach. */
export function createExec(engine: Engine): Pick<RuntimeService, 'exec' | 'execSync' | 'attach'> {
  const create = async (id: string, request: ExecRequest, signal?: AbortSignal): Promise<string> => {
    const docker = await engine.docker();
    try {
      const created = await docker.getContainer(id).exec({
        Cmd: [...request.command],
        AttachStdin: request.stdin,
        AttachStdout: true,
        AttachStderr: !request.tty,
        Tty: request.tty,
        DetachKeys: detachKeys,
        ...(signal === undefined ? {} : { abortSignal: signal }),
      });
      return created.id;
    } catch (error) {
      throw asRuntimeError(error);
    }
  };
  const inspect = async (execId: string): Promise<{ Running: boolean; ExitCode: number | null; Pid: number }> =>
    (await engine.docker())
      .getExec(execId)
      .inspect()
      .catch((error: unknown) => {
        throw asRuntimeError(error);
      });
  /** The engine notes the end a moment after the output's. Nobody waits for a process whose streams were let go. */
  const exitCodeOf = async (execId: string, isClosed: () => boolean): Promise<number> => {
    for (let waitMs = 5; !isClosed(); waitMs = Math.min(waitMs * 2, 200)) {
      const { Running, ExitCode } = await inspect(execId);
      if (!Running && ExitCode !== null) return ExitCode;
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
    throw new RuntimeError('internal', 'the streams of the process were closed before its end');
  };
  const exec = async (id: string, request: ExecRequest, signal?: AbortSignal): Promise<ExecProcess & { readonly execId: string }> => {
    const execId = await create(id, request, signal);
    const connection = await engine.hijack({
      path: `/exec/${execId}/start`,
      body: { Detach: false, Tty: request.tty },
      ...(signal === undefined ? {} : { signal }),
    });
    if (!request.stdin) connection.end();
    const streams = streamsOf(connection, {
      tty: request.tty,
      stdin: request.stdin,
      resize: async ({ width, height }) => {
        const docker = await engine.docker();
        // Right after the start the process is not there yet; later it may have ended, and there is nothing to resize.
        for (let tries = 0; tries < resizeTries; tries++) {
          const done = await docker
            .getExec(execId)
            .resize({ w: width, h: height })
            .then(
              () => true,
              () => false,
            );
          if (done) return;
          await new Promise((resolve) => setTimeout(resolve, 20 * (tries + 1)));
        }
      },
    });
    let closed = false;
    // A reader that is slower than that must lose nothing: once the process has ended, what is left (a megabyte or two) is taken at once.
    const look = setInterval(() => {
      if (!streams.heldBack()) return;
      inspect(execId).then(
        ({ Running, ExitCode }) => {
          if (!Running && ExitCode !== null) streams.hurry();
        },
        () => undefined,
      );
    }, endedLookMs);
    const close = (): void => {
      closed = true;
      clearInterval(look);
      streams.close();
    };
    const exitCode = Promise.all([endOf(streams.stdout), endOf(streams.stderr)]).then(() => {
      clearInterval(look);
      return exitCodeOf(execId, () => closed);
    });
    exitCode.catch(() => undefined);
    return { ...streams, close, exitCode, execId };
  };

  return {
    exec: (id, request) => exec(id, request),
    execSync: async (id, command, { timeoutMs, signal }): Promise<ExecSyncResult> => {
      const process = await exec(id, { command, tty: false, stdin: false }, signal).catch((error: unknown) => {
        signal.throwIfAborted();
        throw error;
      });
      const out = collect(process.stdout);
      const err = collect(process.stderr);
      const late = new RuntimeError('timeout', `command "${command.join(' ')}" timed out`);
      let timer: NodeJS.Timeout | undefined;
      let onAbort: (() => void) | undefined;
      try {
        const stopped = new Promise<never>((_, reject) => {
          timer = setTimeout(() => reject(late), timeoutMs);
          onAbort = () => reject(signal.reason as Error);
          signal.addEventListener('abort', onAbort, { once: true });
        });
        const exitCode = await Promise.race([process.exitCode, stopped]);
        return { exitCode, stdout: out(), stderr: err() };
      } catch (error) {
        process.close();
        await killExec(process.execId, inspect);
        throw error;
      } finally {
        clearTimeout(timer);
        if (onAbort !== undefined) signal.removeEventListener('abort', onAbort);
      }
    },
    attach: async (id, request) => {
      const query = {
        stream: '1',
        stdin: request.stdin ? '1' : '0',
        stdout: request.stdout ? '1' : '0',
        stderr: request.stderr ? '1' : '0',
        detachKeys,
      };
      const connection = await engine.hijack({ path: `/containers/${id}/attach`, query });
      return streamsOf(connection, {
        tty: request.tty,
        stdin: request.stdin,
        resize: async ({ width, height }) => {
          const docker = await engine.docker();
          await docker
            .getContainer(id)
            .resize({ w: width, h: height })
            .catch(() => undefined);
        },
      });
    },
  };
}

function collect(stream: NodeJS.ReadableStream | undefined): () => Buffer {
  const chunks: Buffer[] = [];
  let size = 0;
  stream?.on('data', (chunk: Buffer) => {
    if (size < outputLimitBytes) chunks.push(chunk.subarray(0, outputLimitBytes - size));
    size += chunk.length;
  });
  return () => Buffer.concat(chunks);
}

/** Ends a command that overran its time, where the node's processes can be seen; its children stay, as with other runtimes. */
async function killExec(execId: string, inspect: (id: string) => Promise<{ Running: boolean; Pid: number }>): Promise<void> {
  try {
    const { Running, Pid } = await inspect(execId);
    if (Running && Pid > 1) process.kill(Pid, 'SIGKILL');
  } catch {
    // It ended meanwhile, or belongs to a PID namespace that this process can't see.
  }
}

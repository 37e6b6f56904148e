import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Protocol } from '../table/types.ts';

/** A bound socket as Node passes it between processes. Opaque; `server.listen(handle)` and `socket.bind(handle)` take it. */
export interface RawHandle {
  close(): void;
}

/** Opens ports in the host's network namespace, from a process that lives in another one. */
export interface HostPorts {
  /** Rejects with the system's error: EADDRINUSE, EADDRNOTAVAIL. */
  bind(protocol: Protocol, address: string, port: number): Promise<RawHandle>;
  close(): void;
}

export type BindRequest =
  | { readonly id: number; readonly protocol: Protocol; readonly address: string; readonly port: number }
  | { readonly received: number };
export type BindReply = { readonly id: number; readonly error?: { readonly code: string; readonly message: string } };

const idleExitMs = 5_000;
const childMain = fileURLToPath(new URL(`./host-child/main${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url));

/**
 * `hostNamespace`: a file descriptor of the host's network namespace. A child in that namespace binds the sockets and hands
 * them over unlistened; it keeps none and is gone a few seconds after the last request.
 */
export function createHostPorts(config: { hostNamespace: number; execArgv?: readonly string[] }): HostPorts {
  const { execArgv = process.execArgv } = config;
  // Read now: when the file is replaced by a newer version's, this process still speaks to its own.
  const program = childMain.endsWith('.js') ? ['--input-type=module', '-e', readFileSync(childMain, 'utf8')] : [...execArgv, childMain];
  let child: ChildProcess | undefined;
  let idle: NodeJS.Timeout | undefined;
  let lastId = 0;
  const waiting = new Map<number, { resolve: (handle: RawHandle) => void; reject: (error: Error) => void }>();

  const stop = (): void => {
    child?.disconnect();
    child = undefined;
  };
  function start(): ChildProcess {
    const args = ['--net=/proc/self/fd/4', process.execPath, ...program];
    const started = spawn('nsenter', args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc', config.hostNamespace] });
    const lost = (reason: string): void => {
      if (child === started) child = undefined;
      for (const w of waiting.values()) w.reject(new Error(`the process that opens host ports ended: ${reason}`));
      waiting.clear();
    };
    started.on('error', (error) => lost(error.message));
    started.on('exit', (code, signal) => lost(signal ?? `exit code ${code}`));
    started.on('message', (message, handle) => {
      const reply = message as BindReply;
      const w = waiting.get(reply.id);
      waiting.delete(reply.id);
      if (reply.error !== undefined) w?.reject(Object.assign(new Error(reply.error.message), { code: reply.error.code }));
      else {
        started.send({ received: reply.id } satisfies BindRequest);
        if (w === undefined) (handle as unknown as RawHandle).close();
        else w.resolve(handle as unknown as RawHandle);
      }
      clearTimeout(idle);
      if (waiting.size === 0) idle = setTimeout(stop, idleExitMs).unref();
    });
    return started;
  }

  return {
    bind: (protocol, address, port) =>
      new Promise((resolve, reject) => {
        clearTimeout(idle);
        child ??= start();
        const id = ++lastId;
        waiting.set(id, { resolve, reject });
        child.send({ id, protocol, address, port } satisfies BindRequest, (error) => {
          if (error === null) return;
          waiting.delete(id);
          reject(error);
        });
      }),
    close: stop,
  };
}

import { spawn, type ChildProcess } from 'node:child_process';
import type { DataTable } from '../table/types.ts';
import type { DataPlane } from './data-plane.ts';
import type { RawHandle } from './host-ports.ts';

/**
 * A new version takes over from an old one: the old starts the new as its child (handles pass only between parent and child),
 * sends the table and every bound socket, and once the new one serves them, stops listening and serves what is open to its end.
 *
 *   old                       new
 *    │── spawn ───────────────▶│
 *    │◀────────────── ready ───│
 *    │── table ───────────────▶│
 *    │── socket × n ──────────▶│
 *    │── all-sent ────────────▶│ listens on all of them, takes the control socket's place
 *    │◀────────────── serving ─│
 *    │ closes its copies       │
 *
 * Until `serving` either side may die without harm: the old one still listens.
 */
export type ToSuccessor =
  | { readonly type: 'table'; readonly table: DataTable }
  | { readonly type: 'socket'; readonly key: string }
  | { readonly type: 'all-sent' };
export type FromSuccessor = { readonly type: 'ready' } | { readonly type: 'serving' };

const timeoutMs = 20_000;

/** `hostNamespace` is inherited as file descriptor 3, as proxy-data gets it from proxy. Throws when the successor doesn't come to serve. */
export async function handOver(command: readonly string[], plane: DataPlane, hostNamespace: number): Promise<void> {
  const [program = '', ...args] = command;
  const child = spawn(program, args, { detached: true, stdio: ['ignore', 'inherit', 'inherit', hostNamespace, 'ipc'] });
  try {
    await until(child, 'ready');
    await send(child, { type: 'table', table: plane.table });
    for (const [key, handle] of await plane.handles()) await send(child, { type: 'socket', key }, handle);
    const serving = until(child, 'serving');
    await send(child, { type: 'all-sent' });
    await serving;
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
  child.disconnect();
  child.unref();
}

function until(child: ChildProcess, type: FromSuccessor['type']): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error?: Error): void => {
      clearTimeout(timer);
      child.removeListener('message', onMessage);
      child.removeListener('exit', onExit);
      child.removeListener('error', settle);
      if (error === undefined) resolve();
      else reject(error);
    };
    const onMessage = (message: unknown): void => {
      if ((message as FromSuccessor).type === type) settle();
    };
    const onExit = (code: number | null, signal: string | null): void =>
      settle(new Error(`the successor ended (${signal ?? `exit code ${code}`})`));
    const timer = setTimeout(() => settle(new Error(`the successor was not ${type} within ${timeoutMs} ms`)), timeoutMs);
    child.on('message', onMessage);
    child.on('exit', onExit);
    child.on('error', settle);
  });
}

const send = (child: ChildProcess, message: ToSuccessor, handle?: RawHandle): Promise<void> =>
  new Promise((resolve, reject) => {
    child.send(message, handle as never, (error) => (error === null ? resolve() : reject(error)));
  });

/** The successor's side: resolves with what it is to serve. Call `done` when it does. */
export function takeOver(): Promise<{ table: DataTable; handles: ReadonlyMap<string, RawHandle>; done: () => void }> {
  const handles = new Map<string, RawHandle>();
  let table: DataTable | undefined;
  const answer = (message: FromSuccessor): void => {
    process.send?.(message);
  };
  return new Promise((resolve, reject) => {
    process.once('disconnect', () => reject(new Error('the predecessor is gone')));
    process.on('message', (received, handle) => {
      const message = received as ToSuccessor;
      if (message.type === 'table') table = message.table;
      else if (message.type === 'socket') handles.set(message.key, handle as unknown as RawHandle);
      else if (table !== undefined) resolve({ table, handles, done: () => answer({ type: 'serving' }) });
    });
    answer({ type: 'ready' });
  });
}

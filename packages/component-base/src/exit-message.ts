import { FlagError } from './flags.ts';

interface ListenError extends Error {
  readonly code: string;
  readonly syscall: 'listen';
  readonly address?: string;
  readonly port?: number;
}

const isListenError = (error: Error): error is ListenError =>
  (error as Partial<ListenError>).syscall === 'listen' && typeof (error as Partial<ListenError>).code === 'string';

const listenReasons: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another process has this port; choose another one or stop that process',
  EADDRNOTAVAIL: 'this host does not have this address',
  EACCES: 'this user may not listen on this port',
};

const fileReasons: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  EACCES: 'this user may not read it',
  EISDIR: 'it is a directory',
};

/** What a process says last on stderr: one line where the user can do something about it, the stack where only a developer can. */
export function exitMessage(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof FlagError) return error.message;
  const { code = '', syscall, path } = error as NodeJS.ErrnoException;
  const fileReason = fileReasons[code];
  if (path !== undefined && fileReason !== undefined && (syscall === 'open' || syscall === 'read'))
    return `can't read ${path}: ${fileReason}`;
  if (!isListenError(error)) return error.stack ?? error.message;
  const host = error.address === undefined ? '' : error.address.includes(':') ? `[${error.address}]` : error.address;
  const where = error.port === undefined ? host : `${host}:${error.port}`;
  return `can't listen on ${where}: ${listenReasons[error.code] ?? error.message}`;
}

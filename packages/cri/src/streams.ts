import type { Duplex, Readable, Writable } from 'node:stream';

export interface TerminalSize {
  readonly width: number;
  readonly height: number;
}

/**
 * The standard streams of a process. The receiver must read `stdout` and `stderr` (back-pressure reaches the process) and may
 * end `stdin`, which the process sees as end of file while its output goes on. `close` lets go of everything; the process may
 * live on. With a TTY there is no `stderr`.
 */
export interface ProcessStreams {
  readonly stdin?: Writable;
  readonly stdout: Readable;
  readonly stderr?: Readable;
  /** Only with a TTY. Never throws for a process that is gone. */
  resize(size: TerminalSize): Promise<void>;
  close(): void;
}

export interface ExecProcess extends ProcessStreams {
  /** Resolves with the exit code once the process ended and its output was read to the end. Rejects when that can't be known. */
  readonly exitCode: Promise<number>;
}

export interface ExecRequest {
  readonly command: readonly string[];
  readonly tty: boolean;
  readonly stdin: boolean;
}

export interface AttachRequest {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

export interface ExecSyncResult {
  readonly exitCode: number;
  /** Both are cut at 16 MiB. */
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

/** Connections into one sandbox's network; `connect` dials localhost there. */
export interface PortForwarder {
  /** A socket that allows half-open use. Rejects with RuntimeError `unavailable` when nobody listens, or destroys the socket with it. */
  connect(port: number): Promise<Duplex>;
  close(): void;
}

export interface LogOptions {
  readonly follow: boolean;
  /** Lines from the end; absent: all. */
  readonly tailLines?: number;
  /** Milliseconds since the epoch. */
  readonly sinceMs?: number;
}

/** One write of a container as it was logged. `line` ends with a newline unless the process did not write one. */
export interface LogLine {
  readonly stream: 'stdout' | 'stderr';
  /** RFC 3339 with nanoseconds. */
  readonly time: string;
  readonly line: Buffer;
}

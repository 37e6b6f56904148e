import path from 'node:path';
import { type Clock, childSignal, type Logger } from '@skiff/component-base';
import type { RuntimeService } from '../contract.ts';
import { RuntimeError } from '../runtime-error.ts';
import { type LogFileWriter, openLogFile } from './log-file.ts';

/** An end is told at the latest so long after it, however much of the log is still to be written. */
const settleMs = 2000;

export interface LogFiles {
  /** Makes the file, empty: clients read it as soon as the container was started. */
  prepare(file: string): Promise<void>;
  /** Copies the container's log to the file until the container ends. */
  follow(id: string, file: string): void;
  /** Resolves when the log of an ended container is written. */
  settled(id: string): Promise<void>;
  /** Throws `not-found` when the container has no log that is being written. */
  reopen(id: string): Promise<void>;
  /** Resolves when nothing is written any more. */
  stopped(): Promise<void>;
}

/** Log files in the CRI's form beside the runtime's own logs, for clients that read files. */
export function createLogFiles(o: { runtime: RuntimeService; clock: Clock; log: Logger; signal: AbortSignal }): LogFiles {
  const open = new Map<string, { readonly done: Promise<void>; writer?: LogFileWriter }>();
  const copy = async (id: string, file: string): Promise<void> => {
    const writer = await openLogFile(file);
    const entry = open.get(id);
    if (entry !== undefined) entry.writer = writer;
    using child = childSignal(o.signal);
    try {
      for await (const line of o.runtime.containerLogs(id, { follow: true, signal: child.signal })) await writer.write(line);
    } finally {
      await writer.close();
    }
  };
  return {
    prepare: async (file) => (await openLogFile(path.normalize(file))).close(),
    follow: (id, file) => {
      if (open.has(id)) return;
      const { promise, resolve } = withResolver();
      open.set(id, { done: promise });
      copy(id, path.normalize(file))
        .catch((error: unknown) => o.log.warn({ err: error, container: id }, 'the log file could not be written'))
        .finally(() => {
          open.delete(id);
          resolve();
        });
    },
    settled: async (id) => {
      const entry = open.get(id);
      if (entry === undefined) return;
      using child = childSignal(o.signal);
      await Promise.race([entry.done, o.clock.sleep(settleMs, child.signal).catch(() => undefined)]);
      child.abort();
    },
    reopen: async (id) => {
      const writer = open.get(id)?.writer;
      if (writer === undefined) throw new RuntimeError('not-found', `no log of container ${id} is being written`);
      await writer.reopen();
    },
    stopped: async () => {
      await Promise.all([...open.values()].map((e) => e.done));
    },
  };
}

function withResolver(): { promise: Promise<void>; resolve: () => void } {
  let resolve!: () => void;
  const promise = new Promise<void>((r) => {
    resolve = r;
  });
  return { promise, resolve };
}

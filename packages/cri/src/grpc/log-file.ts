import { type FileHandle, mkdir, open, rm, rmdir, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Clock } from '@skiff/component-base';
import { RuntimeError } from '../runtime-error.ts';
import type { LogLine, LogOptions } from '../streams.ts';
import { rotatedFiles } from './log-rotation.ts';

const newline = 0x0a;
const chunkBytes = 64 * 1024;

/** One line of a CRI log file: `<time> <stream> <F|P> <text>`, P when the process' line goes on in the next one. */
export function formatLogLine(l: LogLine): Buffer {
  const full = l.line.at(-1) === newline;
  const head = Buffer.from(`${l.time} ${l.stream} ${full ? 'F' : 'P'} `);
  return Buffer.concat(full ? [head, l.line] : [head, l.line, Buffer.of(newline)]);
}

/** undefined when the text (with its newline) is no line of a CRI log. */
export function parseLogLine(text: Buffer): LogLine | undefined {
  const head = /^(\S+) (stdout|stderr) ([FP](?::\S*)?) /.exec(text.toString('latin1', 0, 64));
  if (head === null) return undefined;
  const full = head[3]?.startsWith('F') === true;
  return {
    time: head[1] ?? '',
    stream: head[2] === 'stderr' ? 'stderr' : 'stdout',
    line: text.subarray(head[0].length, full ? text.length : text.length - 1),
  };
}

/** Where the last `lines` lines of the file begin. */
async function tailStart(file: FileHandle, lines: number): Promise<number> {
  let end = (await file.stat()).size;
  if (lines === 0) return end;
  let left = lines + 1;
  while (end > 0) {
    const start = Math.max(0, end - chunkBytes);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(end - start), 0, end - start, start);
    for (let at = bytesRead - 1; at >= 0; at--) if (buffer[at] === newline && --left === 0) return start + at + 1;
    end = start;
  }
  return 0;
}

/**
 * Reads a log file of the CRI, going over to its successor when it was rotated. `follow` goes on until `isRunning` says no and
 * everything was read; aborting `signal` ends it normally. A file that is not there yet is empty.
 */
export async function* readLogFile(
  name: string,
  o: LogOptions & { readonly signal: AbortSignal },
  deps: { readonly clock: Clock; readonly isRunning: () => Promise<boolean> },
): AsyncGenerator<LogLine> {
  let file: FileHandle | undefined;
  let inode = 0;
  let position = 0;
  let rest: Buffer = Buffer.alloc(0);
  let first = true;
  const reopen = async (): Promise<boolean> => {
    const found = await stat(name).catch(() => undefined);
    if (found === undefined || found.ino === inode) return false;
    await file?.close();
    file = await open(name, 'r');
    inode = (await file.stat()).ino;
    position = first && o.tailLines !== undefined ? await tailStart(file, o.tailLines) : 0;
    first = false;
    return true;
  };
  async function* readOn(): AsyncGenerator<LogLine> {
    while (file !== undefined && !o.signal.aborted) {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(chunkBytes), 0, chunkBytes, position);
      if (bytesRead === 0) return;
      position += bytesRead;
      rest = Buffer.concat([rest, buffer.subarray(0, bytesRead)]);
      for (let end = rest.indexOf(newline); end >= 0; end = rest.indexOf(newline)) {
        const line = parseLogLine(rest.subarray(0, end + 1));
        rest = rest.subarray(end + 1);
        if (line !== undefined && (o.sinceMs === undefined || Date.parse(line.time) >= o.sinceMs)) yield line;
      }
    }
  }
  try {
    await reopen();
    for (let waitMs = 20; !o.signal.aborted; waitMs = Math.min(waitMs * 2, 250)) {
      // Asked before reading: what a process wrote before it ended is in the file by then.
      const goesOn = o.follow && (await deps.isRunning());
      for await (const line of readOn()) {
        waitMs = 20;
        yield line;
      }
      if (await reopen()) continue;
      if (!goesOn) return;
      await deps.clock.sleep(waitMs, o.signal).catch(() => undefined);
    }
  } finally {
    await file?.close();
  }
}

/** Removes <pod>/<container>/<attempt>.log with what was put aside for it, and the directories when it was the last file in them. */
export async function removeLogFile(name: string): Promise<void> {
  for (const file of [name, ...(await rotatedFiles(name))]) await rm(file, { force: true });
  for (const directory of [path.dirname(name), path.dirname(path.dirname(name))]) {
    // Others are in it, or it is gone already.
    await rmdir(directory).catch(() => undefined);
  }
}

export interface LogFileWriter {
  write(line: LogLine): Promise<void>;
  /** Goes on in a new file of the same name: the old one was moved away. */
  reopen(): Promise<void>;
  close(): Promise<void>;
}

export async function openLogFile(name: string): Promise<LogFileWriter> {
  await mkdir(path.dirname(name), { recursive: true, mode: 0o755 });
  const append = (): Promise<FileHandle> =>
    open(name, 'a', 0o640).catch((cause: Error) => {
      throw new RuntimeError('invalid', `the log file can't be opened: ${cause.message}`, { cause });
    });
  let file = await append();
  return {
    write: async (line) => {
      await file.appendFile(formatLogLine(line));
    },
    reopen: async () => {
      const next = await append();
      const old = file;
      file = next;
      await old.close();
    },
    close: () => file.close(),
  };
}

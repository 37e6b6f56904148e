import { closeSync, createReadStream, createWriteStream, fstatSync, mkdirSync, openSync, renameSync, unlinkSync, writeSync } from 'node:fs';
import { readdir, rename, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { Clock, Logger } from '@skiff/component-base';

export interface LogFileConfig {
  readonly path: string;
  readonly maxAgeDays: number;
  readonly maxBackups: number;
  readonly maxSizeMegabytes: number;
  readonly compress: boolean;
}

export interface LogFile {
  /** Appends whole lines. Throws when they can't be written. */
  write(text: string): void;
  close(): Promise<void>;
}

const dayMs = 86_400_000;

/** The time in the names of old files, as upstream's rotation writes it. */
const stampOf = (ms: number): string => new Date(ms).toISOString().replace('Z', '').replaceAll(':', '-');
const msOf = (stamp: string): number => Date.parse(`${stamp.slice(0, 11)}${stamp.slice(11).replaceAll('-', ':')}Z`);

/** Opens the file (0600, its folder 0700) for appending; from a size on, it is put aside and begun anew, and old ones go. Throws. */
export function openLogFile(config: LogFileConfig, deps: { clock: Pick<Clock, 'now'>; log: Logger }): LogFile {
  if (config.path === '-') return { write: (text) => void process.stdout.write(text), close: () => Promise.resolve() };
  const { path } = config;
  const folder = dirname(path);
  const extension = /\.[^.]+$/.exec(basename(path))?.[0] ?? '';
  const stem = basename(path).slice(0, basename(path).length - extension.length);
  const maxBytes = config.maxSizeMegabytes * 1024 * 1024;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  let fd = openSync(path, 'a', 0o600);
  let closed = false;
  let bytes = fstatSync(fd).size;
  let tidying: Promise<void> = Promise.resolve();

  const tidy = async (): Promise<void> => {
    const backups = (await readdir(folder))
      .map((name) => {
        const match = name.startsWith(`${stem}-`) ? /^(.*)(\.gz)$/.exec(name) : null;
        const plain = match?.[1] ?? name;
        if (!name.startsWith(`${stem}-`) || !plain.endsWith(extension)) return undefined;
        const atMs = msOf(plain.slice(stem.length + 1, plain.length - extension.length));
        return Number.isNaN(atMs) ? undefined : { name, atMs, compressed: match !== null };
      })
      .filter((b) => b !== undefined)
      .sort((a, b) => b.atMs - a.atMs);
    const oldest = deps.clock.now() - config.maxAgeDays * dayMs;
    for (const [i, backup] of backups.entries()) {
      const file = join(folder, backup.name);
      if ((config.maxBackups > 0 && i >= config.maxBackups) || (config.maxAgeDays > 0 && backup.atMs < oldest)) await unlink(file);
      else if (config.compress && !backup.compressed) {
        await pipeline(createReadStream(file), createGzip(), createWriteStream(`${file}.gz.part`, { mode: 0o600 }));
        await rename(`${file}.gz.part`, `${file}.gz`);
        await unlink(file);
      }
    }
  };

  const rotate = (): void => {
    let atMs = deps.clock.now();
    let aside = '';
    for (;;) {
      aside = join(folder, `${stem}-${stampOf(atMs)}${extension}`);
      try {
        closeSync(openSync(aside, 'wx', 0o600));
        break;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
        atMs++;
      }
    }
    try {
      renameSync(path, aside);
    } catch (error) {
      // Someone else moved the file; what was made to hold the name is not needed.
      unlinkSync(aside);
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
    const next = openSync(path, 'a', 0o600);
    closeSync(fd);
    fd = next;
    bytes = 0;
    tidying = tidying.then(tidy).catch((error: unknown) => deps.log.error({ err: error, path }, 'old audit logs could not be tidied up'));
  };

  return {
    write: (text) => {
      if (closed) throw new Error('the audit log is closed');
      const piece = Buffer.from(text);
      if (maxBytes > 0 && bytes > 0 && bytes + piece.length > maxBytes) rotate();
      for (let at = 0; at < piece.length; ) at += writeSync(fd, piece, at);
      bytes += piece.length;
    },
    close: async () => {
      closed = true;
      await tidying;
      closeSync(fd);
    },
  };
}

import { PassThrough, type Readable } from 'node:stream';

export interface Frame {
  readonly stream: 'stdout' | 'stderr';
  readonly payload: Buffer;
}

/** Incremental parser of the engine's multiplexed streams: 8 bytes of header (stream, 0, 0, 0, length big endian), payload. */
export function createFrameParser(): (chunk: Buffer) => Frame[] {
  let buffered: Buffer[] = [];
  let size = 0;
  return (chunk) => {
    buffered.push(chunk);
    size += chunk.length;
    const frames: Frame[] = [];
    if (size < 8) return frames;
    let all = buffered.length === 1 ? chunk : Buffer.concat(buffered);
    let offset = 0;
    while (all.length - offset >= 8) {
      const length = all.readUInt32BE(offset + 4);
      if (all.length - offset < 8 + length) break;
      frames.push({ stream: all[offset] === 2 ? 'stderr' : 'stdout', payload: all.subarray(offset + 8, offset + 8 + length) });
      offset += 8 + length;
    }
    all = all.subarray(offset);
    buffered = all.length === 0 ? [] : [all];
    size = all.length;
    return frames;
  };
}

/** What comes of one connection to the engine. */
export interface Outputs {
  readonly stdout: PassThrough;
  /** Without a terminal. */
  readonly stderr?: PassThrough;
  /** Whether the connection waits for a reader. */
  heldBack(): boolean;
  /** From now on the connection is read to its end, whatever its readers do; what they have not taken waits in memory. */
  hurry(): void;
}

/** Splits a multiplexed connection in two streams with back-pressure: the source waits for the slower reader. */
export function demultiplex(source: Readable): Outputs & { readonly stderr: PassThrough } {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const parse = createFrameParser();
  const rest = spread(source, [stdout, stderr], (chunk, write) => {
    for (const f of parse(chunk)) write(f.stream === 'stderr' ? stderr : stdout, f.payload);
  });
  return { stdout, stderr, ...rest };
}

/** A connection to a terminal: everything is one stream. */
export function plainOutput(source: Readable): Outputs {
  const stdout = new PassThrough();
  return { stdout, ...spread(source, [stdout], (chunk, write) => write(stdout, chunk)) };
}

function spread(
  source: Readable,
  targets: readonly PassThrough[],
  take: (chunk: Buffer, write: (target: PassThrough, payload: Buffer) => void) => void,
): Pick<Outputs, 'heldBack' | 'hurry'> {
  const waiting = new Set<PassThrough>();
  let hurried = false;
  const write = (target: PassThrough, payload: Buffer): void => {
    if (target.destroyed || target.write(payload) || hurried || waiting.has(target)) return;
    waiting.add(target);
    source.pause();
    const resume = (): void => {
      target.off('drain', resume);
      target.off('close', resume);
      waiting.delete(target);
      if (waiting.size === 0) source.resume();
    };
    target.on('drain', resume);
    target.on('close', resume);
  };
  source.on('data', (chunk: Buffer) => take(chunk, write));
  const end = (): void => {
    for (const target of targets) target.end();
  };
  source.once('end', end);
  source.once('close', end);
  source.once('error', end);
  return {
    heldBack: () => waiting.size > 0 && !hurried,
    hurry: () => {
      hurried = true;
      source.resume();
    },
  };
}

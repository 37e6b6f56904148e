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

/** Splits a multiplexed connection in two streams with back-pressure: the source waits for the slower reader. */
export function demultiplex(source: Readable): { stdout: PassThrough; stderr: PassThrough } {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const parse = createFrameParser();
  const waiting = new Set<PassThrough>();
  const write = (target: PassThrough, payload: Buffer): void => {
    if (target.destroyed || target.write(payload) || waiting.has(target)) return;
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
  source.on('data', (chunk: Buffer) => {
    for (const f of parse(chunk)) write(f.stream === 'stderr' ? stderr : stdout, f.payload);
  });
  const end = (): void => {
    stdout.end();
    stderr.end();
  };
  source.once('end', end);
  source.once('close', end);
  source.once('error', end);
  return { stdout, stderr };
}

import type { LogLine, LogOptions, RuntimeService } from '@skiff/cri';
import type { Engine } from './engine.ts';
import { asRuntimeError } from './engine-error.ts';
import { createReplayFilter } from './log-replay.ts';
import { createFrameParser } from './multiplexed.ts';

const space = 0x20;
const newline = 0x0a;

/** The engine puts `<time> ` in front of each entry. */
function splitTime(stream: 'stdout' | 'stderr', entry: Buffer): LogLine {
  const at = entry.indexOf(space);
  return at < 0
    ? { stream, time: entry.toString('latin1').trim(), line: Buffer.from('\n') }
    : { stream, time: entry.toString('latin1', 0, at), line: entry.subarray(at + 1) };
}

/** Containers with a TTY are logged without frames: entries end with their line. */
function createLineParser(): (chunk: Buffer) => LogLine[] {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    let all = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const lines: LogLine[] = [];
    for (let end = all.indexOf(newline); end >= 0; end = all.indexOf(newline)) {
      lines.push(splitTime('stdout', all.subarray(0, end + 1)));
      all = all.subarray(end + 1);
    }
    rest = all;
    return lines;
  };
}

const renderQuery = (o: LogOptions): Record<string, string> => ({
  stdout: '1',
  stderr: '1',
  timestamps: '1',
  follow: o.follow ? '1' : '0',
  tail: o.tailLines === undefined ? 'all' : String(o.tailLines),
  ...(o.sinceMs === undefined ? {} : { since: (o.sinceMs / 1000).toFixed(3) }),
});

export const createLogReader = (engine: Engine): RuntimeService['containerLogs'] =>
  async function* containerLogs(id, o) {
    const parseFrames = createFrameParser();
    const parseLines = createLineParser();
    // Only who follows a log can be told anything twice.
    const isNew = o.follow ? createReplayFilter() : undefined;
    try {
      const docker = await engine.docker();
      const info = await docker.getContainer(id).inspect({ abortSignal: o.signal });
      const source = await engine.stream({ method: 'GET', path: `/containers/${id}/logs`, query: renderQuery(o), signal: o.signal });
      for await (const chunk of source) {
        const lines = info.Config.Tty
          ? parseLines(chunk as Buffer)
          : parseFrames(chunk as Buffer).map((f) => splitTime(f.stream, f.payload));
        yield* isNew === undefined ? lines : lines.filter(isNew);
      }
    } catch (error) {
      if (!o.signal.aborted) throw asRuntimeError(error);
    }
  };

import { StatusError, type KubeObject, type WatchEvent, type WatchEventType } from '@skiff/apimachinery';

const newline = 0x0a;
const eventTypes: ReadonlySet<string> = new Set<WatchEventType>(['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR']);

/** Lines of a byte stream without their newlines; a chunk may hold parts of lines, or many. A last unfinished line is dropped. */
export async function* splitLines(chunks: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let pending: Buffer[] = [];
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      const last = chunk.subarray(start, end);
      const line = pending.length === 0 ? last : Buffer.concat([...pending, last]);
      pending = [];
      start = end + 1;
      if (line.length > 0) yield line.toString('utf8');
    }
    if (start < chunk.length) pending.push(chunk.subarray(start));
  }
}

/** Events of a watch. Throws StatusError for a line that is no event. */
export async function* decodeWatch<T extends KubeObject>(chunks: AsyncIterable<Buffer>): AsyncGenerator<WatchEvent<T>> {
  for await (const line of splitLines(chunks)) {
    const event: unknown = JSON.parse(line);
    if (typeof event !== 'object' || event === null || !('type' in event) || !('object' in event) || !eventTypes.has(String(event.type))) {
      throw new StatusError('InternalError', `not a watch event: ${line.slice(0, 200)}`);
    }
    yield event as WatchEvent<T>;
  }
}

/** One JSON value a line, both ways, over a unix socket. */
export const encodeLine = (message: unknown): string => `${JSON.stringify(message)}\n`;

/** Feeds chunks in, calls back for each complete line. Throws SyntaxError on a line that isn't JSON. */
export function lineDecoder(onMessage: (message: unknown) => void): (chunk: Buffer) => void {
  let pending: Buffer[] = [];
  return (chunk) => {
    let rest = chunk;
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      pending.push(rest.subarray(0, end));
      const line = Buffer.concat(pending).toString('utf8');
      pending = [];
      rest = rest.subarray(end + 1);
      if (line !== '') onMessage(JSON.parse(line));
    }
    if (rest.length > 0) pending.push(rest);
  };
}

import { request } from 'node:http';

/** Beyond what the proxy was told to wait. */
const answerMs = 1_000;

/** Asks the proxy of this host, on its control socket, not to choose an address any more. Resolves with the connections still open; rejects when it does not answer. */
export function drainAtProxy(socketPath: string, address: string, timeoutMs: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const r = request({ socketPath, path: '/drain', method: 'POST', headers: { host: 'proxy' } }, (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (p: Buffer) => pieces.push(p));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(pieces).toString();
        if (response.statusCode !== 200) return reject(new Error(`the proxy answered with ${response.statusCode}: ${text}`));
        const open: unknown = (JSON.parse(text) as { openConnections?: unknown }).openConnections;
        resolve(typeof open === 'number' ? open : 0);
      });
    });
    r.setTimeout(timeoutMs + answerMs, () => r.destroy(new Error('the proxy did not answer')));
    r.on('error', reject);
    r.end(JSON.stringify({ address, timeoutMs }));
  });
}

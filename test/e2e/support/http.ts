import { request } from 'node:http';

/** One GET on a connection of its own: `[version, pod, client]`. */
export function get(url: string, timeoutMs = 5000): Promise<readonly string[]> {
  return new Promise((resolve, reject) => {
    const req = request(url, { agent: false, timeout: timeoutMs }, (res) => {
      let text = '';
      res.on('data', (d: Buffer) => {
        text += d.toString();
      });
      res.on('end', () => (res.statusCode === 200 ? resolve(text.trim().split(' ')) : reject(new Error(`status ${res.statusCode}`))));
      res.on('error', reject);
    });
    req.on('timeout', () => req.destroy(new Error('timed out')));
    req.on('error', reject);
    req.end();
  });
}

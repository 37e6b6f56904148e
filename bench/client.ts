import { readFileSync } from 'node:fs';
import { Agent, request, type RequestOptions } from 'node:https';

interface Kubeconfig {
  clusters: { cluster: { server: string; 'certificate-authority-data': string } }[];
  users: { user: { 'client-certificate-data': string; 'client-key-data': string } }[];
}

export interface Answer {
  readonly status: number;
  readonly body: Buffer;
  readonly ms: number;
}

/** A plain HTTP/1.1 client with keep-alive and a fixed number of connections: what a simple client of the API costs the server. */
export interface BenchClient {
  request(method: string, path: string, body?: unknown, contentType?: string, accept?: string): Promise<Answer>;
  /** Parsed; throws on anything above 299. */
  json<T>(method: string, path: string, body?: unknown, contentType?: string): Promise<T>;
  /** Calls `onLine` for every event of a watch. Resolves when the headers are there. */
  watch(path: string, onLine: (line: Buffer) => void): Promise<{ close(): void }>;
  close(): void;
}

export function benchClient(kubeconfigPath: string, connections: number): BenchClient {
  const config = JSON.parse(readFileSync(kubeconfigPath, 'utf8')) as Kubeconfig;
  const cluster = config.clusters[0]?.cluster;
  const user = config.users[0]?.user;
  if (cluster === undefined || user === undefined) throw new Error(`${kubeconfigPath} is no kubeconfig of Skiff`);
  const pem = (data: string): Buffer => Buffer.from(data, 'base64');
  const tls = {
    ca: pem(cluster['certificate-authority-data']),
    cert: pem(user['client-certificate-data']),
    key: pem(user['client-key-data']),
  };
  const agent = new Agent({ keepAlive: true, maxSockets: connections, noDelay: true, ...tls });
  const url = new URL(cluster.server);
  const options = (method: string, path: string): RequestOptions => ({
    host: url.hostname,
    port: url.port,
    method,
    path,
    agent,
    headers: { accept: 'application/json' },
  });

  const send: BenchClient['request'] = (method, path, body, contentType = 'application/json', accept = 'application/json') =>
    new Promise((resolve, reject) => {
      const payload = body === undefined ? undefined : Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
      const headers = payload === undefined ? { accept } : { accept, 'content-type': contentType, 'content-length': payload.length };
      const started = performance.now();
      const req = request({ ...options(method, path), headers }, (res) => {
        const parts: Buffer[] = [];
        res.on('data', (d: Buffer) => parts.push(d));
        res.on('error', reject);
        res.on('end', () => resolve({ status: res.statusCode ?? 0, body: Buffer.concat(parts), ms: performance.now() - started }));
      });
      req.on('error', reject);
      req.end(payload);
    });
  return {
    request: send,
    async json(method, path, body, contentType) {
      const answer = await send(method, path, body, contentType);
      if (answer.status > 299) throw new Error(`${method} ${path}: ${answer.status} ${answer.body.toString().slice(0, 300)}`);
      return JSON.parse(answer.body.toString());
    },
    watch: (path, onLine) =>
      new Promise((resolve, reject) => {
        const req = request({ ...options('GET', path), agent: new Agent({ ...tls }) }, (res) => {
          if (res.statusCode !== 200) return reject(new Error(`watch ${path}: ${res.statusCode}`));
          let rest: Buffer | undefined;
          res.on('data', (chunk: Buffer) => {
            let data = rest === undefined ? chunk : Buffer.concat([rest, chunk]);
            for (let end = data.indexOf(10); end >= 0; end = data.indexOf(10)) {
              if (end > 0) onLine(data.subarray(0, end));
              data = data.subarray(end + 1);
            }
            rest = data.length > 0 ? data : undefined;
          });
          res.on('error', () => undefined);
          resolve({ close: () => req.destroy() });
        });
        req.on('error', reject);
        req.end();
      }),
    close: () => agent.destroy(),
  };
}

/** Runs `work` for 0…n-1 with `concurrency` at a time. Throws when an answer is above 299. */
export async function pool(
  concurrency: number,
  n: number,
  work: (i: number) => Promise<Answer>,
): Promise<{ seconds: number; latenciesMs: readonly number[] }> {
  const latenciesMs: number[] = [];
  let next = 0;
  const started = performance.now();
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      for (let i = next++; i < n; i = next++) {
        const answer = await work(i);
        if (answer.status > 299) throw new Error(`${answer.status}: ${answer.body.toString().slice(0, 300)}`);
        latenciesMs.push(answer.ms);
      }
    }),
  );
  return { seconds: (performance.now() - started) / 1000, latenciesMs };
}

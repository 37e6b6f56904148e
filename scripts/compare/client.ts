import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import type { JsonObject } from '@skiff/apimachinery';

export interface Answer {
  readonly code: number;
  readonly contentType: string;
  readonly body: JsonObject;
  readonly warnings: readonly string[];
}

export interface CallOptions {
  readonly contentType?: string;
  readonly accept?: string;
}

/** One apiserver, reached with an administrator's certificate. */
export interface Server {
  readonly url: string;
  call(method: string, path: string, body?: JsonObject | string, o?: CallOptions): Promise<Answer>;
}

const texts = (header: string | undefined): string[] =>
  [...(header ?? '').matchAll(/299 - ("(?:[^"\\]|\\.)*")/g)].map((m) => JSON.parse(m[1] ?? '""') as string);

function parse(text: string): JsonObject {
  try {
    return JSON.parse(text) as JsonObject;
  } catch {
    return { text };
  }
}

/** `directory` holds ca.crt, admin.crt and admin.key. */
export function connect(url: string, directory: string): Server & Disposable {
  const file = (name: string): Buffer => readFileSync(`${directory}/${name}`);
  const agent = new Agent({
    ca: file('ca.crt'),
    cert: file('admin.crt'),
    key: file('admin.key'),
    keepAlive: true,
    maxSockets: 16,
    timeout: 60_000,
  });
  return {
    url,
    call: (method, path, body, o = {}) =>
      new Promise((resolve, reject) => {
        const headers = { 'content-type': o.contentType ?? 'application/json', accept: o.accept ?? 'application/json' };
        const r = request(`${url}${path}`, { method, agent, headers }, (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () =>
            resolve({
              code: response.statusCode ?? 0,
              contentType: response.headers['content-type'] ?? '',
              body: parse(Buffer.concat(chunks).toString()),
              warnings: texts(response.headers['warning']),
            }),
          );
        });
        // An upstream server that panics closes the connection.
        r.on('error', (error) => resolve({ code: 0, contentType: '', body: { message: error.message }, warnings: [] }));
        r.end(body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body));
      }),
    [Symbol.dispose]: () => agent.destroy(),
  };
}

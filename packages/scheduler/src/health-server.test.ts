import http from 'node:http';
import { freePort } from '@skiff/component-base';
import { describe, expect, it } from 'vitest';
import { runHealthServer } from './health-server.ts';

const get = (port: number, path: string): Promise<{ status: number; text: string }> =>
  new Promise((resolve, reject) => {
    http
      .get({ port, host: '127.0.0.1', path, agent: false }, (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (piece: string) => (text += piece));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      })
      .on('error', reject);
  });

describe('health server', () => {
  it('answers its paths and survives any other', async () => {
    const stop = new AbortController();
    const port = await freePort();
    const deps = {
      ready: () => false,
      metrics: () => 'm 1\n',
      explain: (key: { namespace: string; name: string }) => (key.name === 'a' ? key : undefined),
    };
    const running = runHealthServer({ port }, deps, stop.signal);
    expect(await get(port, '//')).toMatchObject({ status: 404 });
    expect(await get(port, '/healthz?verbose')).toEqual({ status: 200, text: 'ok' });
    expect(await get(port, '/readyz')).toMatchObject({ status: 503 });
    expect(await get(port, '/metrics')).toEqual({ status: 200, text: 'm 1\n' });
    expect(JSON.parse((await get(port, '/explain?name=a')).text)).toEqual({ namespace: 'default', name: 'a' });
    expect(await get(port, '/explain?name=b')).toMatchObject({ status: 404 });
    stop.abort();
    await running;
  });
});

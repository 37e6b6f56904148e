import { Agent, createServer, request as httpRequest } from 'node:http';
import { connect, type AddressInfo, type Server } from 'node:net';
import { expect, it } from 'vitest';
import { connectionOf } from '../server/exchange.ts';
import type { UnsentBytes } from '../server/unsent.ts';
import type { ApiServices, Extension } from './api-services.ts';
import type { ExtensionClient } from './extension-client.ts';
import { createExtensionProxy } from './extension-proxy.ts';

const listen = async (s: Server): Promise<number> => {
  await new Promise<void>((resolve) => s.listen(0, '127.0.0.1', resolve));
  return (s.address() as AddressInfo).port;
};

it('reads without the body that a client sends with a GET, so that the kept connection stays good', async () => {
  const seen: string[] = [];
  const extension = createServer((request, response) => {
    seen.push(`${request.method} ${request.url} ${request.headers['content-length'] ?? request.headers['transfer-encoding'] ?? ''}`);
    response.end('ok');
  });
  const port = await listen(extension);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const proxy = createExtensionProxy({
    services: {} as ApiServices,
    unsent: {} as UnsentBytes,
    client: {
      routeOf: () => ({ host: '127.0.0.1', port }),
      open: (_e, route, r) =>
        Promise.resolve(httpRequest({ agent, ...route, method: r.method, path: r.path, headers: r.headers, setHost: false })),
    } as Pick<ExtensionClient, 'routeOf' | 'open'> as ExtensionClient,
  });
  const front = createServer((request, response) => {
    const x = { request, response, connection: connectionOf(request) };
    const r = { user: { name: 'bob', groups: [] }, signal: new AbortController().signal, began: () => undefined };
    proxy.serve(x, { available: true } as Extension, r).catch((error: unknown) => response.destroy(error as Error));
  });
  const frontPort = await listen(front);
  const ask = async (path: string, more: string): Promise<string> => {
    const socket = connect(frontPort, '127.0.0.1');
    socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${more}`);
    let text = '';
    for await (const piece of socket) text += String(piece);
    return text;
  };
  try {
    const secret = 'GET /of-the-next-user';
    expect(await ask('/a', `Content-Length: ${secret.length}\r\n\r\n${secret}`)).toMatch(/^HTTP\/1\.1 200 /);
    expect(await ask('/b', `Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n`)).toMatch(/^HTTP\/1\.1 200 /);
    expect(await ask('/c', '\r\n')).toMatch(/^HTTP\/1\.1 200 /);
    expect(seen).toEqual(['GET /a ', 'GET /b ', 'GET /c ']);
  } finally {
    agent.destroy();
    front.close();
    extension.close();
  }
});

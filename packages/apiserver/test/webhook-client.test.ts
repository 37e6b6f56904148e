import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { MessageChannel } from 'node:worker_threads';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createWebhookClient, createWebhookTransport, type WebhookTarget } from '../src/admission/webhook/client.ts';
import { makeCall, sendThroughThread, type WebhookCall } from '../src/heavy/webhook-calls.ts';
import { createDialer } from '../src/tunnel/dialer.ts';
import { createTestPki, type TestPki } from './test-pki.ts';

let pki: TestPki;
let server: Server;
let connections = 0;
let finishLater: (() => void) | undefined;
const used = new WeakSet<object>();
const transport = createWebhookTransport({
  dialer: createDialer(
    { mode: 'direct', timeoutMs: 20_000 },
    { tunnels: { dial: () => Promise.reject(new Error('there are no tunnels')), awaitTunnel: () => Promise.resolve(false) } },
  ),
});
const client = createWebhookClient(transport);
beforeAll(async () => {
  pki = await createTestPki();
  server = createServer({ cert: readFileSync(pki.file('server.crt')), key: readFileSync(pki.file('server.key')) }, (request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      if (request.url?.startsWith('/slow') === true) return;
      if (request.url?.startsWith('/once') === true && used.has(request.socket)) return void request.socket.destroy();
      used.add(request.socket);
      if (request.url?.startsWith('/later') === true) {
        finishLater = () => response.end('{"late":true}');
        return;
      }
      if (request.url?.startsWith('/moved') === true) response.writeHead(302, { location: 'https://127.0.0.1/' }).end();
      else if (request.url?.startsWith('/html') === true) response.end('<html>');
      else response.end(JSON.stringify({ url: request.url, got: JSON.parse(Buffer.concat(pieces).toString()) as unknown }));
    });
  });
  server.on('secureConnection', () => (connections += 1));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  transport.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await pki[Symbol.asyncDispose]();
});

const target = (path: string, more: Partial<WebhookTarget> = {}): WebhookTarget => ({
  url: new URL(`https://localhost${path}`),
  route: { host: '127.0.0.1', port: (server.address() as AddressInfo).port },
  serverName: 'localhost',
  ca: pki.ca,
  ...more,
});
const post = (t: WebhookTarget, timeoutMs = 20_000): Promise<unknown> =>
  client.post(t, { a: 'ä' }, { timeoutMs, signal: new AbortController().signal });

it('posts over TLS, under the name that the certificate has, and keeps its connection', async () => {
  expect(await post(target('/check'))).toEqual({ url: '/check?timeout=20s', got: { a: 'ä' } });
  const before = connections;
  await post(target('/again'));
  expect(connections).toBe(before);
});

it('posts once more when the kept connection turns out to be closed', async () => {
  await post(target('/check'));
  const before = connections;
  expect(await post(target('/once'))).toMatchObject({ url: '/once?timeout=20s' });
  expect(connections).toBe(before + 1);
});

it('lets calls end whose place other webhooks take', async () => {
  const slow = post(target('/later'));
  await expect.poll(() => finishLater).toBeDefined();
  await Promise.allSettled(
    Array.from({ length: 300 }, (_, i) => post(target('/x', { serverName: `s${i}.ns.svc`, route: { host: '127.0.0.1', port: 1 } }))),
  );
  finishLater?.();
  expect(await slow).toEqual({ late: true });
});

it.each([
  ['/slow', {}, 'Post "https://localhost/slow?timeout=0.2s": context deadline exceeded'],
  ['/moved', {}, 'the server answered with code 302'],
  ['/html', {}, 'the answer is no JSON'],
  ['/name', { serverName: 'other.ns.svc' }, "Hostname/IP does not match certificate's altnames"],
  ['/ca', { ca: undefined }, 'unable to verify the first certificate'],
  ['/port', { route: { host: '127.0.0.1', port: 1 } }, 'connection refused'],
])('says why there is no answer: %s', async (path, more, message) => {
  await expect(post(target(path, more as Partial<WebhookTarget>), path === '/slow' ? 200 : 20_000)).rejects.toThrow(message);
});

it('posts for another thread, with the same answers and errors', async () => {
  const { port1: here, port2: there } = new MessageChannel();
  const signal = new AbortController().signal;
  here.on('message', (call: WebhookCall) => void makeCall(transport, call, signal).then((result) => here.postMessage(result)));
  const remote = createWebhookClient(sendThroughThread(there));
  const ask = (path: string, timeoutMs = 20_000): Promise<unknown> => remote.post(target(path), { a: 'ä' }, { timeoutMs, signal });
  try {
    expect(await Promise.all([ask('/check'), ask('/other')])).toEqual([
      { url: '/check?timeout=20s', got: { a: 'ä' } },
      { url: '/other?timeout=20s', got: { a: 'ä' } },
    ]);
    await expect(ask('/moved')).rejects.toMatchObject({ name: 'WebhookError', message: expect.stringContaining('code 302') as string });
    await expect(ask('/html')).rejects.toThrow('Post "https://localhost/html?timeout=20s": the answer is no JSON');
    await expect(ask('/slow', 50)).rejects.toThrow('context deadline exceeded');
  } finally {
    here.close();
  }
});

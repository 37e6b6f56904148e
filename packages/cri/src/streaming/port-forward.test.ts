import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { Duplex, PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { serveWebSocketPortForward } from './port-forward.ts';

it('what a client writes before the port is reached arrives as well', async () => {
  let reached = (_target: Duplex): void => undefined;
  const connected = new Promise<Duplex>((resolve) => {
    reached = resolve;
  });
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  const served = once(server, 'connection').then(([ws]) =>
    serveWebSocketPortForward(ws as WebSocket, {
      forwarder: { connect: () => connected, close: () => undefined },
      ports: [80],
      base64: false,
      podLabel: 'p',
    }),
  );
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const told: Buffer[] = [];
  client.on('message', (message: Buffer) => told.push(message));
  await once(client, 'message');
  await new Promise<void>((resolve, reject) => client.send(Buffer.from([0, ...Buffer.from('early')]), (e) => (e ? reject(e) : resolve())));
  // Enough turns for it to come to the server, were that to read it.
  for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve));
  const [toPod, fromPod] = [new PassThrough(), new PassThrough()];
  reached(Duplex.from({ writable: toPod, readable: fromPod }));
  const [first] = (await once(toPod, 'data')) as [Buffer];
  expect(first.toString()).toBe('early');
  fromPod.end('answer');
  await once(client, 'close');
  expect(told.map((m) => m.toString('latin1'))).toEqual(['\u0000P\u0000', '\u0001P\u0000', '\u0000answer']);
  await served;
  server.close();
});

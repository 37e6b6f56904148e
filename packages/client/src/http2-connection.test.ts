import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { Worker } from 'node:worker_threads';
import { FakeClock } from '@skiff/component-base';
import { describe, expect, it } from 'vitest';
import { connectHttp2 } from './http2-connection.ts';

/** A server that accepts nothing: what does not fit into its queue is never answered, as from a machine that is gone. */
const deafServer = `
  const { parentPort } = require('node:worker_threads');
  const server = require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
    parentPort.postMessage(server.address().port);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  });`;

describe('connectHttp2', () => {
  it('gives up on a server that takes the connection and says nothing', async () => {
    const sockets: net.Socket[] = [];
    const server = net.createServer((socket) => sockets.push(socket.on('error', () => undefined).resume())).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const clock = new FakeClock();
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const attempt = connectHttp2(url, { servers: [url] }, { clock, connectTimeoutMs: 3000 }).then(
      () => 'connected',
      (error: Error) => error.message,
    );
    await once(server, 'connection');
    const [socket] = sockets;
    const ended = once(socket ?? server, 'close');
    await clock.advance(3000);
    expect(await attempt).toBe(`cannot connect to ${url}: no connection within 3000 ms`);
    // The attempt leaves nothing behind.
    await ended;
    server.close();
    await once(server, 'close');
  });

  it('gives up on a server that does not answer at all', async () => {
    const worker = new Worker(deafServer, { eval: true });
    const [port] = (await once(worker, 'message')) as [number];
    const fillers = Array.from({ length: 8 }, () => net.connect({ port, host: '127.0.0.1' }).on('error', () => undefined));
    await Promise.race(fillers.map((f) => once(f, 'connect')));
    const clock = new FakeClock();
    const url = `https://127.0.0.1:${port}`;
    const attempt = connectHttp2(url, { servers: [url] }, { clock, connectTimeoutMs: 3000 }).then(
      () => 'connected',
      (error: Error) => error.message,
    );
    await clock.advance(3000);
    expect(await attempt).toBe(`cannot connect to ${url}: no connection within 3000 ms`);
    for (const f of fillers) f.destroy();
    await worker.terminate();
  });
});

import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { EtcdRpc } from './etcd-rpc.ts';

const servers: Server[] = [];
/** A member that takes connections; resolves with its URL. */
async function member(connected: (socket: Socket) => void): Promise<string> {
  const server = createServer((socket) => connected(socket.on('error', () => undefined))).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** The first connection on which something was said. */
function firstCaller(): { readonly note: (socket: Socket) => void; readonly called: Promise<Socket> } {
  let resolve: (socket: Socket) => void = () => undefined;
  const called = new Promise<Socket>((r) => {
    resolve = r;
  });
  return { note: (socket) => socket.on('data', () => resolve(socket)), called };
}

// Pings would find out after fifteen seconds.
it('once closed, nothing waits for a first member that says nothing', { timeout: 12_000 }, async () => {
  let isBack = false;
  const [visit, work] = [firstCaller(), firstCaller()];
  const home = await member((socket) => (isBack ? visit.note(socket) : socket.destroy()));
  const rpc = new EtcdRpc({ endpoints: [home, await member(work.note)] });
  const frame = Buffer.alloc(5);
  await expect(rpc.unary('/a', frame)).rejects.toThrow();
  const pending = rpc.unary('/a', frame).catch(() => undefined);
  const away = await work.called;
  isBack = true;
  const returning = rpc.returnHome('/a', frame, { cut: false }).catch((error: unknown) => error);
  const gone = once(await visit.called, 'close');
  rpc.close();
  await gone;
  expect(await returning).toBeInstanceOf(Error);
  away.destroy();
  await pending;
});

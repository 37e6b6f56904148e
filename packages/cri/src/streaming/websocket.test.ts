import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterEach, expect, it, vi } from 'vitest';
import { acceptWebSocket } from './websocket.ts';

afterEach(() => void vi.useRealTimers());

it('a client that is slow to read the end is waited for: two minutes', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1').on('error', () => undefined);
  client.write(
    'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
  );
  const [request, socket, head] = (await once(server, 'upgrade')) as [IncomingMessage, Socket, Buffer];
  const ws = await acceptWebSocket({ request, socket, head, protocol: '' });
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  ws.close(1000);
  await vi.advanceTimersByTimeAsync(110_000);
  expect(socket.destroyed).toBe(false);
  await vi.advanceTimersByTimeAsync(20_000);
  expect(socket.destroyed).toBe(true);
  client.destroy();
  server.close();
});

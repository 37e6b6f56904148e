import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { afterEach, expect, it, vi } from 'vitest';
import { dialProcess } from './remote-streams.ts';

afterEach(() => void vi.useRealTimers());

it.each(['', 'HTTP/1.1 500 Internal Server Error\r\nContent-Length: 100\r\n\r\nhalf'])(
  'does not wait for ever for a streaming server that says %j and no more',
  async (said) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const sockets: Socket[] = [];
    const server = createServer((socket) => void sockets.push(socket.on('error', () => undefined)));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/exec/x`;
      const dialled = dialProcess(url, { tty: false, stdin: false, stdout: true, stderr: true });
      const outcome = expect(dialled).rejects.toMatchObject({ kind: 'unavailable' });
      const [socket] = (await once(server, 'connection')) as [Socket];
      const asked = once(socket, 'data');
      await asked;
      socket.write(said);
      await vi.advanceTimersByTimeAsync(30_000);
      await outcome;
    } finally {
      for (const socket of sockets) socket.destroy();
      server.close();
    }
  },
);

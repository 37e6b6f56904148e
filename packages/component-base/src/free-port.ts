import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * For tests: a TCP port that nobody has at any address, below those that the kernel gives to clients (from 32768 on) and to node ports (from
 * 30000 on), so that no connection of anybody's takes it until a server does.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    const server = createServer();
    const listens = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '0.0.0.0', () => resolve(true));
    });
    if (!listens) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
}

import { createServer, type AddressInfo, type Server } from 'node:net';
import { DialError, type TunnelConnection } from '@skiff/tunnel';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDialer, type DialMode, type Route } from './dialer.ts';

let server: Server;
let port = 0;
let accepted = 0;
const through = { through: 'the tunnel', destroy: () => undefined } as unknown as TunnelConnection;

beforeAll(async () => {
  server = createServer((socket) => {
    accepted += 1;
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
});
afterAll(() => void server.close());

const kubelet = (at: number): Route => ({ node: 'n1', target: { kubelet: {} }, host: '127.0.0.1', port: at });
const dialer = (mode: DialMode, answer: TunnelConnection | DialError) =>
  createDialer(
    { mode, timeoutMs: 2000 },
    {
      tunnels: {
        dial: () => (answer instanceof DialError ? Promise.reject(answer) : Promise.resolve(answer)),
        awaitTunnel: () => Promise.resolve(false),
      },
    },
  );
const none = new DialError('UNAVAILABLE', 'node "n1" has no tunnel to this server');

describe('the way to a node', () => {
  it('is its tunnel, if it has one', async () => {
    const before = accepted;
    for (const mode of ['prefer-tunnel', 'tunnel'] as const) expect(await dialer(mode, through).dial(kubelet(port))).toBe(through);
    expect(accepted).toBe(before);
  });

  it('is direct without one, unless that is not wanted', async () => {
    (await dialer('prefer-tunnel', none).dial(kubelet(port))).destroy();
    (await dialer('direct', through).dial(kubelet(port))).destroy();
    await expect(dialer('tunnel', none).dial(kubelet(port))).rejects.toBe(none);
  });

  it('is direct for what the tunnel does not lead to', async () => {
    const { host } = kubelet(port);
    (await dialer('prefer-tunnel', through).dial({ host, port })).destroy();
    await expect(dialer('tunnel', through).dial({ host, port })).rejects.toMatchObject({ reason: 'FORBIDDEN' });
  });

  it('what the node has refused is not tried from here', async () => {
    for (const reason of ['UNREACHABLE', 'FORBIDDEN', 'EXHAUSTED'] as const) {
      const refused = new DialError(reason, 'no');
      await expect(dialer('prefer-tunnel', refused).dial(kubelet(port))).rejects.toBe(refused);
    }
  });

  it('is the tunnel that comes while the direct way hangs', async () => {
    let asked = 0;
    const tunnels = {
      dial: () => ((asked += 1) === 1 ? Promise.reject(none) : Promise.resolve(through)),
      awaitTunnel: () => Promise.resolve(true),
    };
    // An address for documentation: nothing answers there.
    const route: Route = { ...kubelet(port), host: '192.0.2.1' };
    expect(await createDialer({ mode: 'prefer-tunnel', timeoutMs: 20_000 }, { tunnels }).dial(route)).toBe(through);
    expect(asked).toBe(2);
  });

  it('when no way leads there, both are told', async () => {
    await expect(dialer('prefer-tunnel', none).dial(kubelet(1))).rejects.toThrow(
      'dial tcp 127.0.0.1:1: connect: connection refused (node "n1" has no tunnel to this server)',
    );
  });
});

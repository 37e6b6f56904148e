import { PassThrough } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { silentLogger } from '@skiff/component-base';
import { DialError } from '@skiff/tunnel';
import { describe, expect, it } from 'vitest';
import { createFakeChannel } from './fake-channel.fixture.ts';
import { openTunnel, type TunnelNode } from './tunnel-session.ts';

function setUp(node: Partial<TunnelNode> = {}, o: { known?: boolean; maxConnections?: number } = {}) {
  const channel = createFakeChannel({ server: 'a:1' });
  const served: unknown[] = [];
  const session = openTunnel(
    channel,
    { maxConnections: o.maxConnections ?? 10 },
    {
      node: {
        connect: async () => 'kubelet',
        serveKubelet: (connection) => void served.push(connection),
        drain: async () => 0,
        ...node,
      },
      on: { welcome: () => o.known !== true },
      log: silentLogger,
    },
  );
  channel.say({ welcome: { serverId: 's' } });
  return { channel, session, served };
}
const dial = (id: string) => ({ dial: { id, target: { kubelet: {} }, timeoutMs: 1000 } });
const settled = async (): Promise<void> => {
  for (let i = 0; i < 5; i++) await turn();
};

describe('a tunnel, seen from the node', () => {
  it('registers once the server has said who it is, unless there is a tunnel to it already', async () => {
    expect(setUp().channel.said).toEqual([{ register: {} }]);
    const second = setUp({}, { known: true });
    expect([second.channel.said, second.channel.state.halfClosed]).toEqual([[], true]);
    await second.session.ended;
  });

  it('answers a Dial with a connection, for the kubelet itself or a target', async () => {
    const { channel, served } = setUp();
    channel.say(dial('1'));
    await settled();
    expect([channel.connected, served.length]).toEqual([['1'], 1]);
    const target = new PassThrough();
    const other = setUp({ connect: async () => target });
    other.channel.say(dial('2'));
    await settled();
    expect([other.channel.connected, other.served]).toEqual([['2'], []]);
  });

  it('says why there is none', async () => {
    const { channel } = setUp({
      connect: (d) => Promise.reject(d.id === '1' ? new DialError('FORBIDDEN', 'not there') : new Error('a fault')),
    });
    channel.say(dial('1'));
    channel.say(dial('2'));
    await settled();
    expect(channel.said.slice(1)).toEqual([
      { dialFailed: { id: '1', reason: 'FORBIDDEN', message: 'not there' } },
      { dialFailed: { id: '2', reason: 'UNREACHABLE', message: 'a fault' } },
    ]);
  });

  it('takes so many connections at once and no more', async () => {
    const { channel } = setUp({}, { maxConnections: 2 });
    for (const id of ['1', '2', '3']) channel.say(dial(id));
    await settled();
    expect(channel.connected).toEqual(['1', '2']);
    expect(channel.said.at(-1)).toMatchObject({ dialFailed: { id: '3', reason: 'EXHAUSTED' } });
  });

  it('drains in two steps while connections are open', async () => {
    const asked: string[] = [];
    const { channel } = setUp({
      drain: async (address, lingerMs) => {
        asked.push(`${address} ${lingerMs}`);
        return lingerMs === 0 && address === 'a' ? 2 : 0;
      },
    });
    channel.say({ drainAddresses: { id: 'd', addresses: ['a', 'b'], lingerMs: 500 } });
    await settled();
    expect(asked).toEqual(['a 0', 'b 0', 'a 500', 'b 500']);
    expect(channel.said.slice(1)).toEqual([
      { addressesDrained: { id: 'd', openConnections: 2, finished: false, error: '' } },
      { addressesDrained: { id: 'd', openConnections: 0, finished: true, error: '' } },
    ]);
  });

  it('drains in one step when nothing is open, or nothing is to be waited for', async () => {
    const { channel } = setUp({ drain: async () => 3 });
    channel.say({ drainAddresses: { id: 'd', addresses: ['a'], lingerMs: 0 } });
    await settled();
    expect(channel.said.at(-1)).toEqual({ addressesDrained: { id: 'd', openConnections: 3, finished: true, error: '' } });
  });

  it('tells when the proxy does not answer', async () => {
    const { channel } = setUp({ drain: () => Promise.reject(new Error('no proxy')) });
    channel.say({ drainAddresses: { id: 'd', addresses: ['a'], lingerMs: 500 } });
    await settled();
    expect(channel.said.at(-1)).toEqual({ addressesDrained: { id: 'd', openConnections: 0, finished: true, error: 'no proxy' } });
  });

  it('gives up everything when it is stopped', async () => {
    const { channel, session, served } = setUp();
    channel.say(dial('1'));
    await settled();
    session.stop();
    await session.ended;
    expect([channel.state.cancelled, channel.state.closed, (served[0] as { destroyed: boolean }).destroyed]).toEqual([true, true, true]);
  });
});

import { setImmediate as turn } from 'node:timers/promises';
import { createServerPool } from '@skiff/client';
import { FakeClock, silentLogger } from '@skiff/component-base';
import { describe, expect, it } from 'vitest';
import { createFakeChannel, type FakeChannel } from './fake-channel.fixture.ts';
import { authorityOf, createNodeTunnels, reconnectDelayMs } from './node-tunnels.ts';

const request = (podName: string) => ({ podNamespace: 'a', podName, podUid: 'u', chooseTimeoutMs: 1, lingerMs: 1 });
const settled = async (): Promise<void> => {
  for (let i = 0; i < 8; i++) await turn();
};

function setUp(servers: readonly string[]) {
  const clock = new FakeClock();
  const channels: FakeChannel[] = [];
  const pool = createServerPool({ configured: servers }, { clock, random: () => 0 });
  const pem = { cert: 'first' };
  const tunnels = createNodeTunnels(
    { maxConnections: 10 },
    {
      node: { connect: async () => 'kubelet', serveKubelet: () => undefined, drain: async () => 0 },
      servers: pool,
      credentials: async () => ({ cert: pem.cert }),
      createChannel: (config) => {
        const channel = createFakeChannel(config);
        channels.push(channel);
        return channel;
      },
      clock,
      log: silentLogger,
      random: () => 1,
    },
  );
  const stop = new AbortController();
  const running = tunnels.run(stop.signal);
  return {
    clock,
    channels,
    pool,
    pem,
    tunnels,
    stop: async () => {
      stop.abort();
      await running;
    },
  };
}
const registered = (c: FakeChannel | undefined): boolean => c?.said.some((m) => m.register !== undefined) === true;

describe('the tunnels of a node', () => {
  it('go to every server, also to those that come later, and end with those that leave', async () => {
    const t = setUp(['https://a:6443']);
    await settled();
    expect(t.channels.map((c) => c.config.server)).toEqual(['a:6443']);
    t.channels[0]?.say({ welcome: { serverId: 'A' } });
    t.pool.learn(['https://b:6443']);
    await settled();
    expect(t.channels.map((c) => c.config.server)).toEqual(['a:6443', 'b:6443']);
    t.channels[1]?.say({ welcome: { serverId: 'B' } });
    t.pool.learn([]);
    await settled();
    expect([t.channels[0]?.state.cancelled, t.channels[1]?.state.cancelled]).toEqual([false, true]);
    await t.stop();
  });

  it('a server that has two addresses gets one; the other steps in when it breaks', async () => {
    const t = setUp(['https://a:6443', 'https://vip:6443']);
    await settled();
    const [a, vip] = t.channels;
    a?.say({ welcome: { serverId: 'A' } });
    vip?.say({ welcome: { serverId: 'A' } });
    await settled();
    expect([registered(a), registered(vip), vip?.state.halfClosed]).toEqual([true, false, true]);
    await t.clock.advance(60_000);
    expect(t.channels.length).toBe(2);
    a?.finish({ code: 14, message: 'connection lost' });
    await settled();
    const again = t.channels.at(-1);
    expect(again?.config.server).toBe('vip:6443');
    again?.say({ welcome: { serverId: 'A' } });
    await settled();
    expect(registered(again)).toBe(true);
    await t.stop();
  });

  it('are opened again, soon at first', async () => {
    const t = setUp(['https://a:6443']);
    await settled();
    for (let i = 0; i < 5; i++) {
      t.channels.at(-1)?.finish({ code: 14, message: 'connection refused' });
      await settled();
      expect(t.channels.length).toBe(i + 1);
      await t.clock.advance(1_000);
      expect(t.channels.length).toBe(i + 2);
    }
    await t.stop();
  });

  it('are replaced when the certificate is renewed, before the old one ends', async () => {
    const t = setUp(['https://a:6443']);
    await settled();
    t.channels[0]?.say({ welcome: { serverId: 'A' } });
    await t.clock.advance(120_000);
    expect(t.channels.length).toBe(1);
    t.pem.cert = 'second';
    await t.clock.advance(61_000);
    const [old, renewed] = t.channels;
    expect([renewed?.config.cert, old?.state.cancelled, old?.state.closed]).toEqual(['second', false, false]);
    renewed?.say({ welcome: { serverId: 'A' } });
    old?.finish({ code: 10, message: 'a newer tunnel of this node has come' });
    await settled();
    expect([registered(renewed), t.channels.length]).toEqual([true, 2]);
    expect(await t.tunnels.drain(request('idle'), 100)).toEqual({ inService: true, openConnections: 0 });
    await t.stop();
  });

  it('carry the question to one server that answers', async () => {
    const t = setUp(['https://a:6443', 'https://b:6443']);
    expect(await t.tunnels.drain(request('busy'), 100)).toBeUndefined();
    await settled();
    const [a, b] = t.channels;
    a?.say({ welcome: { serverId: 'A' } });
    b?.say({ welcome: { serverId: 'B' } });
    await settled();
    if (a !== undefined) a.drain = () => Promise.reject(new Error('stopping'));
    expect(await t.tunnels.drain(request('busy'), 100)).toEqual({ inService: true, openConnections: 1 });
    await t.stop();
  });
});

describe('the time before the next attempt', () => {
  it('doubles up to a second, then up to five, and is never the same for all', () => {
    expect([0, 1, 2, 3, 15, 16].map((n) => reconnectDelayMs(n, 1))).toEqual([250, 500, 1000, 1000, 1000, 5000]);
    expect([0, 16].map((n) => reconnectDelayMs(n, 0))).toEqual([125, 2500]);
  });
  it('servers are named by host and port', () => {
    expect(['https://a', 'https://10.0.0.1:6443/', 'https://[fd00::1]:6443'].map(authorityOf)).toEqual([
      'a:443',
      '10.0.0.1:6443',
      '[fd00::1]:6443',
    ]);
  });
});

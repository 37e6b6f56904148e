import { FakeClock } from '@skiff/component-base';
import { describe, expect, it } from 'vitest';
import { serversOf } from './control-plane.ts';
import { createServerPool } from './server-pool.ts';

const none: ReadonlySet<string> = new Set();
const a = 'https://10.0.0.1:6443';
const b = 'https://10.0.0.2:6443';
const c = 'https://10.0.0.3:6443';
const local = 'https://127.0.0.1:6443';

describe('the pool of servers', () => {
  it('keeps to the configured order while nothing was learned', () => {
    const pool = createServerPool({ configured: [b, a] }, { clock: new FakeClock(), random: () => 0.5 });
    expect([pool.pick(none), pool.pick(new Set([b])), pool.pick(new Set([a, b]))]).toEqual([b, a, undefined]);
  });

  it('spreads clients over learned servers, but goes to the one of this machine first and knows it by its other name', () => {
    const draws = [0.9, 0.1, 0.5];
    const spread = createServerPool({ configured: [a], learned: [a, b, c] }, { clock: new FakeClock(), random: () => draws.shift() ?? 0 });
    expect(spread.servers).toEqual([b, c, a]);
    const home = createServerPool(
      { configured: [local], learned: [a, b], ownAddresses: ['127.0.0.1', '10.0.0.1'] },
      { clock: new FakeClock() },
    );
    expect(home.servers).toEqual([local, b]);
  });

  it('puts a failed server behind the others for a while that grows', async () => {
    const clock = new FakeClock();
    const pool = createServerPool({ configured: [a, b] }, { clock });
    pool.failed(a);
    expect(pool.pick(none)).toBe(b);
    await clock.advance(5_001);
    expect(pool.pick(none)).toBe(a);
    pool.failed(a);
    await clock.advance(6_000);
    expect(pool.pick(none)).toBe(b);
    pool.failed(b);
    // Both are in disgrace: the one whose time is up first is tried.
    expect(pool.pick(none)).toBe(a);
    pool.succeeded(a);
    expect(pool.pick(none)).toBe(a);
  });

  it('replaces what was learned, never what was configured, and says so', () => {
    const pool = createServerPool({ configured: [a] }, { clock: new FakeClock(), random: () => 0 });
    const seen: (readonly string[])[] = [];
    using _ = pool.subscribe((servers) => seen.push(servers));
    pool.learn([a, b]);
    pool.learn([b, a]);
    pool.learn([a, c]);
    expect(seen).toEqual([
      [a, b],
      [a, c],
    ]);
  });
});

describe('endpoints of the Service kubernetes', () => {
  it('name the apiservers, each by its own port', () => {
    const ports = [{ name: 'https', port: 6443 }];
    expect(
      serversOf({
        subsets: [
          { addresses: [{ ip: '10.0.0.1' }, { ip: 'fd00::1' }], ports },
          { addresses: [{ ip: '10.0.0.1' }], ports: [{ name: 'https', port: 7443 }] },
          { addresses: [{ ip: '10.0.0.9' }] },
        ],
      }),
    ).toEqual(['https://10.0.0.1:6443', 'https://[fd00::1]:6443', 'https://10.0.0.1:7443']);
  });
});

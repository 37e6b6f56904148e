import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client } from '@skiff/client';
import { FakeClock, silentLogger } from '@skiff/component-base';
import { afterEach, describe, expect, it } from 'vitest';
import { createAnnouncer, type AnnouncedAddress } from './announcer.ts';

const address = '192.0.2.10';
const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

/** Node a of a and b, which never hears b. */
function start(before?: Readonly<Record<string, string>>): {
  clock: FakeClock;
  claims: string[];
  commands: string[];
  tell: (holder: string, resourceVersion: string, eligible?: readonly string[]) => void;
  stop: () => Promise<void>;
} {
  const folder = mkdtempSync(join(tmpdir(), 'skiff-announcer-'));
  folders.push(folder);
  if (before !== undefined) writeFileSync(join(folder, 'announced.json'), JSON.stringify(before));
  const clock = new FakeClock();
  const claims: string[] = [];
  const commands: string[] = [];
  const client = {
    patch: (_kind: unknown, { name }: { name: string }) => {
      claims.push(name);
      return Promise.resolve({});
    },
  } as unknown as Client;
  const announcer = createAnnouncer(
    { nodeName: 'a', path: join(folder, 'announced.json') },
    {
      client,
      clock,
      log: silentLogger,
      run: (command, args) => {
        commands.push([command, ...args].join(' '));
        // The segment can't be told: that takes a real one.
        return Promise.resolve({ code: args[0] === '-4' ? 1 : 0, stdout: '', stderr: '' });
      },
      liveness: { look: () => Promise.resolve(), isDead: (node) => node === 'b', keep: () => undefined },
      segmentOf: () => ({ link: 'eth0', cidr: '192.0.2.0/24' }),
      isHealthy: () => true,
    },
  );
  const stopped = new AbortController();
  const running = announcer.run(stopped.signal);
  return {
    clock,
    claims,
    commands,
    tell: (holder, resourceVersion, eligible = ['a', 'b']) => {
      const addresses: AnnouncedAddress[] = [{ address, holder, resourceVersion, eligible }];
      announcer.update({ addresses, nodeAddresses: new Map(['a', 'b'].map((n) => [n, '192.0.2.1'])) });
    },
    stop: async () => {
      stopped.abort();
      await running;
    },
  };
}

describe('the announcer', () => {
  it('gives back what the last process had of its own when it was killed', async () => {
    const a = start({ [address]: 'eth0' });
    a.tell('b', '1');
    await a.clock.advance(100);
    expect(a.commands[0]).toBe(`ip address delete ${address}/32 dev eth0`);
    await a.stop();
  });
  it('takes an address from a node that does not answer', async () => {
    const a = start();
    a.tell('b', '1');
    await a.clock.advance(5_000);
    expect(a.claims).toEqual([address]);
    expect(a.commands).toContain(`ip neighbour replace proxy ${address} dev eth0`);
    await a.stop();
  });
  it('leaves an address that another took from it to that one for a minute, then for two', async () => {
    const a = start();
    for (const [round, seconds] of [60, 120].entries()) {
      a.tell('a', `${round}a`);
      await a.clock.advance(1_000);
      a.tell('b', `${round}b`);
      await a.clock.advance((seconds - 2) * 1_000);
      expect(a.claims).toHaveLength(round);
      expect(a.commands).toContain(`ip neighbour delete proxy ${address} dev eth0`);
      await a.clock.advance(5_000);
      expect(a.claims).toHaveLength(round + 1);
    }
    await a.stop();
  });
  it('takes it back at once when the API says that the other one may not have it', async () => {
    const a = start();
    a.tell('a', '1');
    await a.clock.advance(1_000);
    a.tell('b', '2');
    await a.clock.advance(5_000);
    expect(a.claims).toEqual([]);
    a.tell('b', '2', ['a']);
    await a.clock.advance(5_000);
    expect(a.claims).toEqual([address]);
    await a.stop();
  });
});

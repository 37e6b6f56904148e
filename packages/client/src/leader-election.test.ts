import { FakeClock, silentLogger } from '@skiff/component-base';
import { describe, expect, it } from 'vitest';
import type { Client } from './contract.ts';
import { RequestError } from './contract.ts';
import { StatusError, type KubeObject } from '@skiff/apimachinery';
import type { HttpResponse } from './http2-connection.ts';
import { createLeaderElector, type LeaderElectionConfig, type LeaderElector } from './leader-election.ts';
import { createLeaderFence, type LeaderFence } from './leader-fence.ts';

interface Link {
  up: boolean;
  /** Writes get no answer. */
  hangs?: boolean;
}

/** One Lease, compare-and-set; a client of it can be cut off. */
function leaseServer() {
  let lease: (KubeObject & { spec?: Record<string, unknown> }) | undefined;
  let revision = 0;
  const store = (object: KubeObject): KubeObject => {
    revision += 1;
    lease = { ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } };
    return lease;
  };
  const client = (link: Link): Client => {
    const reach = (): void => {
      if (!link.up) throw new RequestError('cut off');
    };
    const partial: Partial<Client> = {
      get: async () => {
        reach();
        if (lease === undefined) throw new StatusError('NotFound', 'no lease');
        return structuredClone(lease) as never;
      },
      create: async (_r, object) => {
        reach();
        if (lease !== undefined) throw new StatusError('AlreadyExists', 'there');
        return store(object) as never;
      },
      update: async (_r, object, o) => {
        reach();
        if (link.hangs === true) await new Promise((_, reject) => o?.signal?.addEventListener('abort', () => reject(new Error('cut'))));
        if (object.metadata?.resourceVersion !== lease?.metadata?.resourceVersion) throw new StatusError('Conflict', 'modified');
        return store(object) as never;
      },
    };
    return partial as Client;
  };
  return {
    client,
    holder: () => lease?.spec?.['holderIdentity'],
    transitions: () => lease?.spec?.['leaseTransitions'],
    seconds: () => lease?.spec?.['leaseDurationSeconds'],
    writes: () => revision,
  };
}

function elector(
  server: ReturnType<typeof leaseServer>,
  o: {
    identity: string;
    clock: FakeClock;
    link?: Link;
    release?: boolean;
    alone?: NonNullable<LeaderElectionConfig['alone']>;
    fence?: LeaderFence | undefined;
  },
): LeaderElector {
  return createLeaderElector(
    {
      lease: { namespace: 'kube-system', name: 'test' },
      identity: o.identity,
      ...(o.release === true ? { releaseOnCancel: true } : {}),
      ...(o.alone === undefined ? {} : { alone: o.alone }),
    },
    {
      client: server.client(o.link ?? { up: true }),
      clock: o.clock,
      log: silentLogger,
      random: () => 0,
      ...(o.fence === undefined ? {} : { fence: o.fence }),
    },
  );
}
const untilAborted = (signal: AbortSignal): Promise<void> =>
  new Promise((r) => (signal.aborted ? r() : signal.addEventListener('abort', () => r())));

describe('leader election', () => {
  it('has one leader, and another one takes over when renewals stop', async () => {
    const clock = new FakeClock();
    const server = leaseServer();
    const link = { up: true };
    const a = elector(server, { identity: 'a', clock, link });
    const b = elector(server, { identity: 'b', clock });
    const stop = new AbortController();
    let bLeads = false;
    const runA = a.run(untilAborted, stop.signal);
    await clock.advance(1);
    const runB = b.run((signal) => {
      bLeads = true;
      return untilAborted(signal);
    }, stop.signal);
    await clock.advance(30_000);
    expect([a.isLeader, b.isLeader, server.holder()]).toEqual([true, false, 'a']);
    link.up = false;
    await clock.advance(9_000);
    expect(bLeads).toBe(false);
    await clock.advance(4_000);
    // The old leader gives up at its renew deadline, before the new one may start.
    expect(await Promise.race([runA, Promise.resolve('still')])).toBe('lost');
    expect(bLeads).toBe(false);
    await clock.advance(6_000);
    expect([bLeads, server.holder(), server.transitions()]).toEqual([true, 'b', 1]);
    stop.abort();
    await clock.advance(1);
    expect(await runB).toBe('stopped');
  });

  it('takes over at once from an earlier process of the same name, whose late writes carry another term', async () => {
    const clock = new FakeClock();
    const server = leaseServer();
    const link = { up: true };
    const fences = [createLeaderFence(), createLeaderFence()];
    const sent: unknown[] = [];
    const write = async (fence: LeaderFence | undefined): Promise<void> => {
      await fence?.middleware(async (r) => (sent.push(r.headers['skiff-leader']), {} as HttpResponse))({
        method: 'POST',
        path: '/x',
        headers: {},
      });
    };
    const first = elector(server, { identity: 'host', clock, link, fence: fences[0] });
    const stop = new AbortController();
    const runFirst = first.run(untilAborted, stop.signal);
    await clock.advance(1);
    link.up = false;
    const second = elector(server, { identity: 'host', clock, fence: fences[1] });
    const runSecond = second.run(untilAborted, stop.signal);
    await clock.advance(1);
    expect([second.isLeader, server.transitions()]).toEqual([true, 1]);
    await write(fences[0]);
    await write(fences[1]);
    expect(sent).toEqual(['kube-system/test/0/host', 'kube-system/test/1/host']);
    link.up = true;
    await clock.advance(2_000);
    // It finds another term on the lease and does not wait for its deadline.
    expect([await runFirst, first.isLeader, second.isLeader]).toEqual(['lost', false, true]);
    stop.abort();
    await clock.advance(1);
    expect(await runSecond).toBe('stopped');
  });

  it('renews rarely while alone, and shortens its lease as soon as it is not, for good', async () => {
    const clock = new FakeClock();
    const server = leaseServer();
    let isAlone = true;
    const told = new Set<() => void>();
    const alone = {
      is: () => isAlone,
      subscribe: (changed: () => void) => {
        told.add(changed);
        return { [Symbol.dispose]: () => told.delete(changed) };
      },
    };
    const stop = new AbortController();
    const run = elector(server, { identity: 'a', clock, alone }).run(untilAborted, stop.signal);
    await clock.advance(240_000);
    expect([server.writes(), server.seconds()]).toEqual([3, 300]);
    isAlone = false;
    for (const tell of told) tell();
    await clock.advance(1);
    expect([server.writes(), server.seconds()]).toEqual([4, 15]);
    isAlone = true;
    await clock.advance(20_000);
    expect([server.writes(), server.seconds(), told.size]).toEqual([14, 15, 0]);
    stop.abort();
    await clock.advance(1);
    expect(await run).toBe('stopped');
  });

  it('renews as if it had rivals until it knows that it is alone', async () => {
    const clock = new FakeClock();
    const server = leaseServer();
    const known: { isAlone?: boolean } = {};
    const alone = { is: () => known.isAlone, subscribe: () => ({ [Symbol.dispose]: () => undefined }) };
    const stop = new AbortController();
    const run = elector(server, { identity: 'a', clock, alone }).run(untilAborted, stop.signal);
    await clock.advance(5_000);
    expect([server.writes(), server.seconds()]).toEqual([3, 15]);
    known.isAlone = true;
    await clock.advance(2_000);
    expect([server.writes(), server.seconds()]).toEqual([4, 300]);
    await clock.advance(118_000);
    expect(server.writes()).toBe(4);
    stop.abort();
    await clock.advance(1);
    expect(await run).toBe('stopped');
  });

  it('hands the lease over when it is told to stop', async () => {
    const clock = new FakeClock();
    const server = leaseServer();
    const stop = new AbortController();
    const run = elector(server, { identity: 'a', clock, release: true }).run(untilAborted, stop.signal);
    await clock.advance(100);
    stop.abort();
    await clock.advance(1);
    expect([await run, server.holder()]).toEqual(['stopped', '']);
  });

  it('does not wait long for a server that does not answer any more', async () => {
    const clock = new FakeClock();
    const link: Link = { up: true };
    const stop = new AbortController();
    const run = elector(leaseServer(), { identity: 'a', clock, release: true, link }).run(untilAborted, stop.signal);
    await clock.advance(100);
    link.hangs = true;
    stop.abort();
    await clock.advance(2_000);
    expect(await run).toBe('stopped');
  });
});

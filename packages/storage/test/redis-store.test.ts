import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findRedisImage, redisUrl, startRedis } from '../../../test/servers/redis.ts';
import type { ServerContainer } from '../../../test/servers/server.ts';
import { describeRevisionedStore } from '../src/conformance.ts';
import { CompactedError, type Revision, type RevisionedStore } from '../src/contract.ts';
import { createRedisStore } from '../src/redis-store.ts';

const image = await findRedisImage();

if (image === undefined) {
  describe('Redis', () => {
    it.skip('was not tested: no image of it could be had', () => {});
  });
} else {
  describeRevisionedStore('Redis', async () => {
    const server = await startRedis(image, { appendOnly: false });
    return {
      open: () => createRedisStore({ url: redisUrl(server) }),
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    };
  });

  describe.each([{ appendOnly: false }, { appendOnly: true }])('Redis killed and started again, %o', ({ appendOnly }) => {
    let server: ServerContainer;
    let store: RevisionedStore;
    beforeEach(async () => {
      server = await startRedis(image, { appendOnly });
      store = createRedisStore({ url: redisUrl(server) });
    });
    afterEach(async () => {
      await store[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    });

    it('never takes a revision back, and ends every watch from before', async () => {
      const other = createRedisStore({ url: redisUrl(server) });
      let last: Revision = 0;
      for (let i = 0; i < 20; i++) last = (await store.put(`/a/${i}`, Buffer.from('x'), { expected: 0 })).revision;
      const watchEnded = expect(follow(other, last)).rejects.toThrow(CompactedError);
      await server.kill();
      await expect(store.put('/a/while-down', Buffer.from('x'), { expected: 0 })).rejects.toThrow(/unavailable|unknown/);
      await expect(store.ping()).rejects.toThrow('unavailable');
      await server.start();
      await untilReady(store);
      expect(await store.currentRevision()).toBeGreaterThan(last);
      expect(await store.compactedRevision()).toBeGreaterThan(last);
      await watchEnded;
      await expect(store.list('/a/', { at: last })).rejects.toThrow(CompactedError);
      const { entries, revision } = await store.list('/a/');
      expect(entries.filter((e) => e.key !== '/a/while-down')).toHaveLength(appendOnly ? 20 : 0);
      const next = await store.put('/b', Buffer.from('x'), { expected: 0 });
      expect(next.revision).toBeGreaterThan(revision);
      await other[Symbol.asyncDispose]();
    });

    it('notices that somebody emptied it', async () => {
      const { revision } = await store.put('/a', Buffer.from('x'), { expected: 0 });
      const watchEnded = expect(follow(store, revision)).rejects.toThrow(CompactedError);
      const { Redis } = await import('ioredis');
      const admin = new Redis(redisUrl(server));
      await admin.flushall();
      admin.disconnect();
      expect((await store.put('/a', Buffer.from('y'), { expected: 0 })).revision).toBeGreaterThan(revision);
      await watchEnded;
    });
  });

  it('refuses a Redis that would throw data away', async () => {
    await using server = await startRedis(image, {
      appendOnly: false,
      extra: ['--maxmemory', '100mb', '--maxmemory-policy', 'allkeys-lru'],
    });
    const store = createRedisStore({ url: redisUrl(server) });
    await expect(store.ping()).rejects.toThrow('it must be noeviction');
    await store[Symbol.asyncDispose]();
  });
}

async function follow(store: RevisionedStore, after: Revision): Promise<void> {
  for await (const _ of store.watch('/', { after, signal: new AbortController().signal }));
}

async function untilReady(store: RevisionedStore): Promise<void> {
  for (let ready = false; !ready; ) {
    ready = await store.ping().then(
      () => true,
      () => false,
    );
  }
}

import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { FakeClock, freePort } from '@skiff/component-base';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { etcdUrl, findEtcdImages, startEtcd } from '../../../test/servers/etcd.ts';
import { createEtcdCluster } from '../src/etcd-cluster.ts';
import { createEtcdStore } from '../src/etcd-store.ts';

const images = await findEtcdImages();
const nobody = 'http://127.0.0.1:9';

for (const { version, image } of images) {
  describe(`etcd ${version} as a cluster`, async () => {
    const server = await startEtcd(image);
    afterAll(() => server[Symbol.asyncDispose]());

    it('tells its members and its state, past an endpoint where nobody listens', async () => {
      const cluster = createEtcdCluster({ endpoints: [nobody, etcdUrl(server)] });
      try {
        const [member, ...others] = await cluster.members();
        expect(others).toEqual([]);
        expect(member).toMatchObject({ name: 'default', isLearner: false, clientUrls: ['http://0.0.0.0:2379'] });
        const status = await cluster.status();
        expect(status).toMatchObject({ memberId: member?.id, leaderId: member?.id, isLearner: false });
        expect(BigInt(status.clusterId)).toBeGreaterThan(2n ** 53n);
        expect(status.version.startsWith(version)).toBe(true);
        await cluster.setPeerUrls(member?.id ?? '', ['http://127.0.0.1:2381']);
        expect((await cluster.members())[0]?.peerUrls).toEqual(['http://127.0.0.1:2381']);
        await expect(cluster.promote(member?.id ?? '')).rejects.toThrow('learner');
        await expect(cluster.remove('123')).rejects.toThrow('not found');
      } finally {
        cluster.close();
      }
    });

    it('is called and watched through the first member again when that is back', async () => {
      let connections = 0;
      const relay = createServer((outer) => {
        connections += 1;
        const inner = connect(Number(new URL(etcdUrl(server)).port), new URL(etcdUrl(server)).hostname);
        for (const [one, other] of [
          [outer, inner],
          [inner, outer],
        ] as const) {
          one.on('error', () => other.destroy()).on('close', () => other.destroy());
          one.pipe(other);
        }
      });
      const port = await freePort();
      const clock = new FakeClock();
      await using store = createEtcdStore({ endpoints: [`http://127.0.0.1:${port}`, etcdUrl(server)] }, { clock });
      const first = await store.put('/home/1', Buffer.from('x'), { expected: 0 });
      const seen: string[] = [];
      const stop = new AbortController();
      const watching = (async () => {
        for await (const batch of store.watch('/home/', { after: first.revision, signal: stop.signal }))
          seen.push(...batch.changes.map((c) => c.key));
      })();
      await store.put('/home/2', Buffer.from('x'), { expected: 0 });
      // Refused by the first, the watch waits for a moment, which is the clock's.
      const passing = (done: () => boolean): Promise<boolean> =>
        vi.waitUntil(
          async () => {
            await clock.advance(100);
            await store.get('/home');
            return done();
          },
          { timeout: 30_000 },
        );
      await passing(() => seen.length === 1);
      relay.listen(port, '127.0.0.1');
      await once(relay, 'listening');
      await store.get('/home');
      expect(connections).toBe(0);
      await clock.advance(60_000);
      // Each with a visit first.
      await passing(() => connections >= 4);
      await store.put('/home/3', Buffer.from('x'), { expected: 0 });
      await vi.waitUntil(() => seen.length > 1, { timeout: 30_000 });
      expect(seen).toEqual(['/home/2', '/home/3']);
      stop.abort();
      await watching;
      relay.close();
    });

    it('is written to through the second member while the first is away, within a moment', async () => {
      const times: number[] = [];
      for (const key of ['/a', '/b', '/c']) {
        await using store = createEtcdStore({ endpoints: [nobody, etcdUrl(server)] });
        const startedMs = performance.now();
        expect((await store.put(key, Buffer.from('x'), { expected: 0 })).outcome).toBe('committed');
        times.push(performance.now() - startedMs);
      }
      // The best of them: a machine that is busy makes any of them late.
      expect(Math.min(...times)).toBeLessThan(2_000);
    });
  });
}

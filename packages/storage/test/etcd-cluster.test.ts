import { afterAll, describe, expect, it } from 'vitest';
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

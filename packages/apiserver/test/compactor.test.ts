import { silentLogger, systemClock } from '@skiff/component-base';
import { CompactedError, createEtcdStore } from '@skiff/storage';
import { describe, expect, it } from 'vitest';
import { etcdUrl, findEtcdImages, startEtcd } from '../../../test/servers/etcd.ts';
import { runCompactor } from '../src/storage/compactor.ts';

for (const { version, image } of await findEtcdImages()) {
  describe(`compaction of etcd ${version}`, () => {
    it('forgets history when two apiservers run the compactor', async () => {
      await using server = await startEtcd(image);
      await using store = createEtcdStore({ endpoints: [etcdUrl(server)] });
      const stop = new AbortController();
      const deps = { store, clock: systemClock, log: silentLogger, signal: stop.signal };
      const running = [1, 2].map(() =>
        runCompactor({ intervalMs: 100 }, deps).catch((error: unknown) => expect(stop.signal.aborted, String(error)).toBe(true)),
      );
      let { revision } = await store.put('/x', Buffer.from('0'), { expected: 0 });
      const first = revision;
      await expect
        .poll(
          async () => {
            revision = (await store.put('/x', Buffer.from('1'), { expected: revision })).revision;
            return await store.get('/x', { at: first }).then(
              () => 'kept',
              (error: unknown) => error,
            );
          },
          { timeout: 60_000 },
        )
        .toBeInstanceOf(CompactedError);
      stop.abort();
      await Promise.all(running);
    });
  });
}

import { Etcd3 } from 'etcd3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { etcdUrl, findEtcdImages, startEtcd } from '../../../test/servers/etcd.ts';
import type { ServerContainer } from '../../../test/servers/server.ts';
import { describeDurableStore, describeRevisionedStore } from '../src/conformance.ts';
import type { RevisionedStore } from '../src/contract.ts';
import { createEtcdStore } from '../src/etcd-store.ts';

const images = await findEtcdImages();

for (const { version, image } of images) {
  describeRevisionedStore(`etcd ${version}`, async () => {
    const server = await startEtcd(image);
    return {
      open: () => createEtcdStore({ endpoints: [etcdUrl(server)] }),
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    };
  });

  describeDurableStore(`etcd ${version}`, async () => {
    const server = await startEtcd(image);
    return {
      open: () => createEtcdStore({ endpoints: [etcdUrl(server)] }),
      // Closed under it: its holder can neither keep nor revoke.
      crash: async (store) => await store[Symbol.asyncDispose](),
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    };
  });

  describe(`etcd ${version} killed and started again`, () => {
    let server: ServerContainer;
    let store: RevisionedStore;
    beforeAll(async () => {
      server = await startEtcd(image);
      store = createEtcdStore({ endpoints: [etcdUrl(server)] });
    });
    afterAll(async () => {
      await store[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    });

    it('keeps what it acknowledged, goes on with its watches and serves again', async () => {
      const controller = new AbortController();
      const after = await store.currentRevision();
      const seen: string[] = [];
      const watching = (async () => {
        for await (const batch of store.watch('/a/', { after, signal: controller.signal })) {
          seen.push(...batch.changes.map((c) => c.key));
          if (seen.at(-1) === '/a/last') break;
        }
      })();
      for (let i = 0; i < 20; i++) await store.put(`/a/${i}`, Buffer.from('x'), { expected: 0 });
      await server.kill();
      await expect(store.put('/a/while-down', Buffer.from('x'), { expected: 0 })).rejects.toThrow(/unavailable|unknown/);
      await expect(store.ping()).rejects.toThrow('unavailable');
      await server.start();
      for (let ready = false; !ready; ) {
        ready = await store.ping().then(
          () => true,
          () => false,
        );
      }
      const result = await store.put('/a/last', Buffer.from('x'), { expected: 0 });
      expect(result.outcome).toBe('committed');
      await watching;
      expect(seen.filter((k) => k !== '/a/while-down')).toEqual([...Array.from({ length: 20 }, (_, i) => `/a/${i}`), '/a/last']);
    });
  });
}

it.skipIf(images.length === 0)('logs in with a password, again when its token is no longer good', async () => {
  await using server = await startEtcd(images[0]?.image ?? '');
  const admin = new Etcd3({ hosts: etcdUrl(server) });
  await admin.auth.userAdd({ name: 'root', password: 'secret' });
  await admin.auth.roleAdd({ name: 'root' });
  await admin.auth.userGrantRole({ user: 'root', role: 'root' });
  await admin.auth.authEnable();
  admin.close();
  const stranger = createEtcdStore({ endpoints: [etcdUrl(server)] });
  await expect(stranger.ping()).rejects.toThrow('user name is empty');
  const store = createEtcdStore({ endpoints: [etcdUrl(server)], auth: { username: 'root', password: 'secret' } });
  const after = await store.currentRevision();
  const seen: string[] = [];
  const watching = (async () => {
    for await (const batch of store.watch('/', { after, signal: new AbortController().signal })) {
      seen.push(...batch.changes.map((c) => c.key));
      if (seen.length === 2) break;
    }
  })();
  expect(await store.put('/a', Buffer.from('x'), { expected: 0, ttlSeconds: 60 })).toMatchObject({ outcome: 'committed' });
  // Simple tokens live in the server's memory.
  await server.kill();
  await server.start();
  for (let ready = false; !ready; ) {
    ready = await store.ping().then(
      () => true,
      () => false,
    );
  }
  expect(await store.put('/b', Buffer.from('x'), { expected: 0 })).toMatchObject({ outcome: 'committed' });
  await watching;
  expect(seen).toEqual(['/a', '/b']);
  await stranger[Symbol.asyncDispose]();
  await store[Symbol.asyncDispose]();
});

if (images.length === 0) {
  describe('etcd', () => {
    it.skip('was not tested: no image of it could be had', () => {});
  });
}

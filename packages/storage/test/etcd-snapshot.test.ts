import { createWriteStream, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { etcdUrl, findEtcdImages, startEtcd } from '../../../test/servers/etcd.ts';
import { createEtcdCluster } from '../src/etcd-cluster.ts';
import { readSnapshot, verifySnapshot } from '../src/etcd-snapshot.ts';
import { createEtcdStore } from '../src/etcd-store.ts';

const images = await findEtcdImages();

for (const { version, image } of images) {
  describe(`a snapshot of etcd ${version}`, async () => {
    const server = await startEtcd(image);
    const folder = mkdtempSync(join(tmpdir(), 'skiff-snapshot-'));
    afterAll(async () => {
      await server[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true });
    });
    const endpoints = [etcdUrl(server)];
    const save = async (name: string): Promise<string> => {
      const cluster = createEtcdCluster({ endpoints });
      const path = join(folder, name);
      await pipeline(Readable.from(cluster.snapshot(new AbortController().signal)), createWriteStream(path));
      cluster.close();
      return path;
    };

    it('holds each key with its last value, without what is deleted or expires', async () => {
      await using store = createEtcdStore({ endpoints });
      const wanted = new Map<string, string>();
      const put = async (key: string, value: string, expected = 0): Promise<number> => {
        wanted.set(key, value);
        return (await store.put(key, Buffer.from(value), { expected })).revision;
      };
      await put('/a', 'few');
      expect(await contents(await save('small'))).toEqual(wanted);
      for (let i = 0; i < 3_000; i++) await put(`/many/${i}`, `${i}`.repeat(50));
      await put('/large', 'x'.repeat(1_000_000));
      const first = await put('/changed', 'one');
      await put('/changed', 'two', first);
      const doomed = await put('/deleted', 'x');
      await store.delete('/deleted', { expected: doomed });
      wanted.delete('/deleted');
      const gone = await put('/again', 'x');
      await store.delete('/again', { expected: gone });
      await put('/again', 'y');
      await store.put('/event', Buffer.from('x'), { expected: 0, ttlSeconds: 600 });
      await store.compact(await store.currentRevision());
      wanted.set('skiff_compacted_revision', String((await store.get('skiff_compacted_revision')).entry?.value));
      const path = await save('large');
      expect(await verifySnapshot(path)).toBeGreaterThan(1_000_000);
      expect(await contents(path)).toEqual(wanted);
    });

    it('is refused when it is torn or changed', async () => {
      const path = await save('whole');
      const whole = readFileSync(path);
      writeFileSync(path, whole.subarray(0, whole.length - 700));
      await expect(verifySnapshot(path)).rejects.toThrow('is not a whole snapshot');
      writeFileSync(path, whole.subarray(0, whole.length - 4096));
      await expect(verifySnapshot(path)).rejects.toThrow('is damaged');
      const changed = Buffer.from(whole);
      changed[5000] = (changed[5000] ?? 0) ^ 1;
      writeFileSync(path, changed);
      await expect(verifySnapshot(path)).rejects.toThrow('is damaged');
      writeFileSync(path, Buffer.alloc(8192 + 32));
      await expect(contents(path)).rejects.toThrow('no whole meta page');
    });
  });
}

async function contents(path: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for await (const { key, value } of readSnapshot(path)) found.set(key.toString(), value.toString());
  return found;
}

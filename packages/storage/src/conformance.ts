import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Change,
  type ChangeBatch,
  CompactedError,
  type DurableStore,
  FutureRevisionError,
  type Revision,
  type RevisionedStore,
  ValueTooLargeError,
} from './contract.ts';

/** A running store with no data of others. `open` gives another client of the same data (for memory: the same one). */
export interface RevisionedStoreFixture extends AsyncDisposable {
  open(): RevisionedStore;
}

const bytes = (text: string): Buffer => Buffer.from(text);

/** What every RevisionedStore must do. Each test has keys of its own; compactions are seen by all, so tests run one after the other. */
export function describeRevisionedStore(name: string, make: () => Promise<RevisionedStoreFixture>): void {
  describe(`RevisionedStore: ${name}`, () => {
    let fixture: RevisionedStoreFixture;
    let store: RevisionedStore;
    let other: RevisionedStore;
    let tests = 0;
    const freshPrefix = (): string => `/conformance/${++tests}/`;
    beforeAll(async () => {
      fixture = await make();
      store = fixture.open();
      other = fixture.open();
    });
    afterAll(async () => {
      await store?.[Symbol.asyncDispose]();
      await other?.[Symbol.asyncDispose]();
      await fixture?.[Symbol.asyncDispose]();
    });

    const create = async (key: string, value = key, ttlSeconds?: number): Promise<Revision> => {
      const result = await store.put(key, bytes(value), { expected: 0, ...(ttlSeconds !== undefined && { ttlSeconds }) });
      expect(result.outcome).toBe('committed');
      return result.revision;
    };
    const update = async (key: string, value: string, expected: Revision): Promise<Revision> => {
      const result = await store.put(key, bytes(value), { expected });
      expect(result.outcome).toBe('committed');
      return result.revision;
    };
    const remove = async (key: string, expected: Revision): Promise<Revision> => {
      const result = await store.delete(key, { expected });
      expect(result.outcome).toBe('committed');
      return result.revision;
    };

    describe('writes', () => {
      it('creates a key only where there is none', async () => {
        const key = `${freshPrefix()}a`;
        const revision = await create(key, 'one');
        expect(revision).toBeGreaterThan(0);
        const again = await store.put(key, bytes('two'), { expected: 0 });
        expect(again).toMatchObject({ outcome: 'lost', current: { key, revision } });
        expect(again.outcome === 'lost' && again.current?.value.toString()).toBe('one');
        expect(again.revision).toBeGreaterThanOrEqual(revision);
        expect((await other.get(key)).entry).toMatchObject({ key, revision, value: bytes('one') });
      });

      it('replaces a value only at its revision and answers with the current one otherwise', async () => {
        const key = `${freshPrefix()}a`;
        const first = await create(key, 'one');
        const second = await update(key, 'two', first);
        expect(second).toBeGreaterThan(first);
        const late = await store.put(key, bytes('three'), { expected: first });
        expect(late).toMatchObject({ outcome: 'lost', current: { key, revision: second, value: bytes('two') } });
        const missing = await store.put(`${key}-missing`, bytes('x'), { expected: first });
        expect(missing).toMatchObject({ outcome: 'lost', current: undefined });
      });

      it('deletes at the right revision and gives back what it removed', async () => {
        const key = `${freshPrefix()}a`;
        const revision = await create(key, 'one');
        expect(await store.delete(key, { expected: revision + 1 })).toMatchObject({ outcome: 'lost', current: { revision } });
        const result = await store.delete(key, { expected: revision });
        expect(result).toMatchObject({ outcome: 'committed', previous: { key, revision, value: bytes('one') } });
        expect(result.revision).toBeGreaterThan(revision);
        expect((await store.get(key)).entry).toBeUndefined();
        expect(await store.delete(key, { expected: revision })).toMatchObject({ outcome: 'lost', current: undefined });
        expect(await create(key, 'again')).toBeGreaterThan(result.revision);
      });

      it('lets exactly one of several writers win', async () => {
        const key = `${freshPrefix()}counter`;
        await create(key, '0');
        const increment = async (client: RevisionedStore): Promise<void> => {
          for (let done = 0; done < 10; ) {
            const { entry } = await client.get(key);
            const result = await client.put(key, bytes(String(Number(entry?.value) + 1)), { expected: entry?.revision ?? 0 });
            if (result.outcome === 'committed') done++;
          }
        };
        await Promise.all([store, other, store, other, store].map(increment));
        expect((await store.get(key)).entry?.value.toString()).toBe('50');
      });

      it('gives every write a revision of its own that grows', async () => {
        const prefix = freshPrefix();
        const before = await store.currentRevision();
        const revisions = await Promise.all(Array.from({ length: 50 }, (_, i) => create(`${prefix}${i}`)));
        expect(new Set(revisions).size).toBe(50);
        expect(Math.min(...revisions)).toBeGreaterThan(before);
        expect(await other.currentRevision()).toBeGreaterThanOrEqual(Math.max(...revisions));
      });

      it('keeps empty, binary and large values as they are and refuses too large ones', async () => {
        const prefix = freshPrefix();
        const large = Buffer.alloc(1_000_000, 'skiff');
        const binary = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
        for (const [name, value] of Object.entries({ empty: Buffer.alloc(0), binary, large })) {
          await store.put(prefix + name, value, { expected: 0 });
          const { entry } = await other.get(prefix + name);
          expect(entry?.value.equals(value)).toBe(true);
          expect(entry?.value.buffer.byteLength).toBe(value.length);
        }
        await expect(store.put(`${prefix}huge`, Buffer.alloc(8_000_000), { expected: 0 })).rejects.toThrow(ValueTooLargeError);
        expect((await store.get(`${prefix}huge`)).entry).toBeUndefined();
      });
    });

    describe('reads', () => {
      it('lists in byte order, only what begins with the prefix', async () => {
        const prefix = freshPrefix();
        const names = ['a', 'a/b', 'a-b', 'B', 'z', 'é', '\uffee', '😀', 'a0'];
        for (const name of names) await create(prefix + name);
        await create(`${prefix.slice(0, -1)}0`);
        const { entries, count, more } = await store.list(prefix);
        const sorted = names.map((n) => bytes(prefix + n)).sort(Buffer.compare);
        expect(entries.map((e) => e.key)).toEqual(sorted.map(String));
        expect({ count, more }).toEqual({ count: names.length, more: false });
      });

      it('pages at one revision while others write', async () => {
        const prefix = freshPrefix();
        const keys = Array.from({ length: 1203 }, (_, i) => `${prefix}${String(i).padStart(5, '0')}`);
        await Promise.all(keys.map((key) => create(key, 'old')));
        const first = await store.list(prefix, { limit: 10 });
        expect(first).toMatchObject({ more: true, count: 1203 });
        await update(keys[11] as string, 'new', (await store.get(keys[11] as string)).entry?.revision ?? 0);
        await create(`${prefix}00010-later`);
        const second = await store.list(prefix, { limit: 10, after: first.entries.at(-1)?.key ?? '', at: first.revision });
        expect(second.entries.map((e) => e.key)).toEqual(keys.slice(10, 20));
        expect(second.entries[1]?.value.toString()).toBe('old');
        expect(second).toMatchObject({ more: true, count: 1193, revision: first.revision });
        const rest = await store.list(prefix, { after: second.entries.at(-1)?.key ?? '', at: first.revision });
        expect(rest.entries.map((e) => e.key)).toEqual(keys.slice(20));
        expect(rest).toMatchObject({ more: false, count: 1183 });
        expect((await store.list(prefix)).count).toBe(1204);
      });

      it('reads the past, and says when it is not there', async () => {
        const key = `${freshPrefix()}a`;
        const first = await create(key, 'one');
        const second = await update(key, 'two', first);
        const third = await remove(key, second);
        const valueAt = async (at: Revision): Promise<string | undefined> => (await store.get(key, { at })).entry?.value.toString();
        expect(await valueAt(first)).toBe('one');
        expect(await valueAt(second)).toBe('two');
        expect(await valueAt(third)).toBeUndefined();
        expect((await store.list(key, { at: first })).entries).toHaveLength(1);
        await expect(store.get(key, { at: third + 1_000_000_000 })).rejects.toThrow(FutureRevisionError);
      });
    });

    describe('watches', () => {
      it('tells every change in order, with what was there before', async () => {
        const prefix = freshPrefix();
        const key = `${prefix}a`;
        const after = await store.currentRevision();
        const seen = collect(other, prefix, after, (changes) => changes.length === 4);
        const first = await create(key, 'one');
        await create(`${prefix.slice(0, -1)}-not`, 'unseen');
        const second = await update(key, 'two', first);
        const third = await remove(key, second);
        const fourth = await create(key, 'three');
        const { changes } = await seen;
        const previous = (value: string, revision: Revision): object => ({ key, value: bytes(value), revision });
        expect(changes).toEqual([
          { type: 'put', key, value: bytes('one'), revision: first },
          { type: 'put', key, value: bytes('two'), revision: second, previous: previous('one', first) },
          { type: 'delete', key, revision: third, previous: previous('two', second) },
          { type: 'put', key, value: bytes('three'), revision: fourth },
        ]);
        expect((await collect(store, prefix, after, (c) => c.length === 4)).changes).toEqual(changes);
        expect((await collect(store, prefix, second, (c) => c.length === 2)).changes).toEqual(changes.slice(2));
      });

      it('follows many writers without gap or repeat, and marks how far it got', async () => {
        const prefix = freshPrefix();
        const after = await store.currentRevision();
        const writers = 8;
        const watching = collect(other, prefix, after, (changes) => changes.length === writers * 100);
        const written = await Promise.all(
          Array.from({ length: writers }, async (_, w) => {
            const revisions: Revision[] = [];
            for (let i = 0; i < 100; i++) revisions.push(await create(`${prefix}${w}-${i}`));
            return revisions;
          }),
        );
        const { changes, batches } = await watching;
        expect(changes.map((c) => c.revision)).toEqual(written.flat().sort((a, b) => a - b));
        expectOrdered(batches, after);
      });

      it('moves its mark for writes outside of the prefix', async () => {
        const prefix = freshPrefix();
        const after = await store.currentRevision();
        const revision = await create(`${freshPrefix()}elsewhere`);
        const { batches } = await collect(store, prefix, after, (_, batch) => batch.appliedRevision >= revision);
        expectOrdered(batches, after);
      });

      it('ends when it is told to, busy or idle', async () => {
        const prefix = freshPrefix();
        const controller = new AbortController();
        const after = await store.currentRevision();
        await create(`${prefix}a`);
        const batches: ChangeBatch[] = [];
        for await (const batch of store.watch(prefix, { after, signal: controller.signal })) {
          batches.push(batch);
          setImmediate(() => controller.abort());
        }
        expect(batches).toHaveLength(1);
        const never: ChangeBatch[] = [];
        for await (const batch of store.watch(prefix, { after, signal: AbortSignal.abort() })) never.push(batch);
        expect(never).toHaveLength(0);
      });
    });

    describe('expiry', () => {
      it('removes a key after its time to live and logs the deletion, unless it was written again', async () => {
        const prefix = freshPrefix();
        const after = await store.currentRevision();
        const startedMs = performance.now();
        const kept = await create(`${prefix}kept`, 'short', 3);
        const gone = await create(`${prefix}gone`, 'short', 3);
        await update(`${prefix}kept`, 'for good', kept);
        const { changes } = await collect(other, prefix, after, (c) => c.some((change) => change.type === 'delete'));
        expect(performance.now() - startedMs).toBeGreaterThan(2000);
        expect(changes.at(-1)).toMatchObject({ type: 'delete', key: `${prefix}gone`, previous: { revision: gone, value: bytes('short') } });
        expect((await store.list(prefix)).entries.map((e) => e.key)).toEqual([`${prefix}kept`]);
      });
    });

    describe('compaction', () => {
      it('forgets history and says so, to new and to old readers', async () => {
        const prefix = freshPrefix();
        const key = `${prefix}a`;
        const before = await store.currentRevision();
        const first = await create(key, 'one');
        const second = await update(key, 'two', first);
        const third = await update(key, 'three', second);
        const slow = store.watch(prefix, { after: before, signal: new AbortController().signal })[Symbol.asyncIterator]();
        await store.compact(second);
        await expect(store.get(key, { at: first })).rejects.toThrow(CompactedError);
        await expect(store.list(prefix, { at: first })).rejects.toThrow(CompactedError);
        await expect(other.list(prefix, { at: before })).rejects.toThrow(CompactedError);
        await expect(slow.next()).rejects.toThrow(CompactedError);
        await expect(collect(other, prefix, first, () => true)).rejects.toThrow(CompactedError);
        expect((await store.get(key)).entry?.value.toString()).toBe('three');
        expect(await store.compactedRevision()).toBe(second);
        expect(await other.compactedRevision()).toBe(second);
        const { changes } = await collect(other, prefix, second, (c) => c.length === 1);
        expect(changes[0]).toMatchObject({ type: 'put', revision: third, previous: { value: bytes('two') } });
      });

      it('loses no deletion next to the compacted revision', async () => {
        for (let round = 0; round < 10; round++) {
          const prefix = freshPrefix();
          const revision = await create(`${prefix}a`);
          const deleted = await remove(`${prefix}a`, revision);
          const later = await create(`${prefix}b`);
          await store.compact(deleted);
          // A watch that should begin with the deletion must not begin after it.
          await expect(collect(other, prefix, deleted - 1, (c) => c.length > 0)).rejects.toThrow(CompactedError);
          const { changes } = await collect(other, prefix, deleted, (c) => c.length > 0);
          expect(changes[0]).toMatchObject({ type: 'put', revision: later });
        }
      });

      it('can be repeated and does not reach into the future', async () => {
        const revision = await create(`${freshPrefix()}a`);
        await store.compact(revision);
        await store.compact(revision);
        await other.compact(revision - 1);
        expect(await store.compactedRevision()).toBe(revision);
        await expect(store.compact(revision + 1_000_000_000)).rejects.toThrow(FutureRevisionError);
      });

      it('lets a watch begin right after a list, compacted or not', async () => {
        const prefix = freshPrefix();
        await create(`${prefix}a`);
        const { revision } = await store.list(prefix);
        await store.compact(revision);
        const seen = collect(other, prefix, revision, (c) => c.length === 1);
        const next = await create(`${prefix}b`);
        expect((await seen).changes[0]?.revision).toBe(next);
      });
    });

    it('refuses a watch ahead of the store, which has then lost data', async () => {
      const ahead = (await store.currentRevision()) + 1_000_000_000;
      await expect(collect(store, '/', ahead, () => true)).rejects.toThrow(CompactedError);
    });

    it('answers ping', async () => {
      await store.ping();
    });
  });
}

/** Watches until `enough`; the batch that made it enough is included. */
async function collect(
  store: RevisionedStore,
  prefix: string,
  after: Revision,
  enough: (changes: readonly Change[], batch: ChangeBatch) => boolean,
): Promise<{ changes: Change[]; batches: ChangeBatch[] }> {
  const controller = new AbortController();
  const changes: Change[] = [];
  const batches: ChangeBatch[] = [];
  for await (const batch of store.watch(prefix, { after, signal: controller.signal })) {
    batches.push(batch);
    changes.push(...batch.changes);
    if (enough(changes, batch)) break;
  }
  controller.abort();
  return { changes, batches };
}

function expectOrdered(batches: readonly ChangeBatch[], after: Revision): void {
  let applied = after;
  for (const batch of batches) {
    for (const change of batch.changes) {
      expect(change.revision).toBeGreaterThan(applied);
      expect(change.revision).toBeLessThanOrEqual(batch.appliedRevision);
    }
    expect(batch.appliedRevision).toBeGreaterThan(applied);
    applied = batch.appliedRevision;
  }
}

/** What a DurableStore adds: writes under a guard, and keys that live as long as who holds them. `crash` ends a client without a goodbye. */
export function describeDurableStore(
  name: string,
  make: () => Promise<AsyncDisposable & { open(): DurableStore; crash?(store: DurableStore): Promise<void> }>,
): void {
  describe(`DurableStore: ${name}`, () => {
    let fixture: Awaited<ReturnType<typeof make>>;
    let store: DurableStore;
    beforeAll(async () => {
      fixture = await make();
      store = fixture.open();
    });
    afterAll(async () => {
      await store?.[Symbol.asyncDispose]();
      await fixture?.[Symbol.asyncDispose]();
    });
    const seen = async (prefix: string, type: Change['type'], after: Revision): Promise<Change> => {
      const controller = new AbortController();
      try {
        for await (const batch of store.watch(prefix, { after, signal: controller.signal })) {
          const found = batch.changes.find((c) => c.type === type);
          if (found !== undefined) return found;
        }
      } finally {
        controller.abort();
      }
      throw new Error('the watch ended');
    };

    it('writes and deletes only while the guard stands where it was', async () => {
      const made = await store.put('/guarded/lease', bytes('a'), { expected: 0 });
      const guard = { key: '/guarded/lease', revision: made.revision };
      const first = await store.put('/guarded/x', bytes('1'), { expected: 0, guard });
      expect(first.outcome).toBe('committed');
      await store.put('/guarded/lease', bytes('b'), { expected: made.revision });
      const kept = { outcome: 'lost', current: { key: '/guarded/x', revision: first.revision } };
      expect(await store.put('/guarded/x', bytes('2'), { expected: first.revision, guard })).toMatchObject(kept);
      expect(await store.delete('/guarded/x', { expected: first.revision, guard })).toMatchObject(kept);
      expect(await store.put('/guarded/y', bytes('2'), { expected: 0, guard })).toMatchObject({ outcome: 'lost', current: undefined });
      expect((await store.get('/guarded/y')).entry).toBeUndefined();
      const absent = { key: '/guarded/none', revision: 0 };
      expect(await store.put('/guarded/x', bytes('3'), { expected: first.revision, guard: absent })).toMatchObject({
        outcome: 'committed',
      });
    });

    it('holds a key until told to let go, without writing meanwhile', async () => {
      const after = await store.currentRevision();
      const controller = new AbortController();
      const holding = store.hold('/held/a', bytes('me'), { ttlSeconds: 30, signal: controller.signal });
      const put = await seen('/held/', 'put', after);
      expect(put.value?.toString()).toBe('me');
      expect(await store.currentRevision()).toBe(put.revision);
      controller.abort();
      await holding;
      expect((await store.get('/held/a')).entry).toBeUndefined();
    });

    it('lets go of the keys of a client that died', async (test) => {
      if (fixture.crash === undefined) return test.skip('nothing outlives this store');
      const doomed = fixture.open();
      const after = await store.currentRevision();
      const controller = new AbortController();
      const holding = doomed.hold('/held/b', bytes('me'), { ttlSeconds: 2, signal: controller.signal });
      await seen('/held/b', 'put', after);
      await fixture.crash(doomed);
      const gone = await seen('/held/b', 'delete', after);
      expect(gone.previous?.value.toString()).toBe('me');
      controller.abort();
      await holding;
    });
  });
}

import { describe, expect, it } from 'vitest';
import { describeDurableStore, describeRevisionedStore } from './conformance.ts';
import { CompactedError, type DurableStore } from './contract.ts';
import { createMemoryStore } from './memory-store.ts';
import { revisionOffsetKey, withRevisionOffset } from './offset-store.ts';

const offset = 5_000_000_000;
async function restored(): Promise<{ inner: DurableStore; store: DurableStore }> {
  const inner = createMemoryStore({ firstRevision: 1 });
  await inner.put('/kept', Buffer.from('from the backup'), { expected: 0 });
  await inner.put(revisionOffsetKey, Buffer.from(String(offset)), { expected: 0 });
  return { inner, store: withRevisionOffset(inner) };
}

describeRevisionedStore('with an offset', async () => {
  const { store } = await restored();
  return { open: () => store, [Symbol.asyncDispose]: async () => await store[Symbol.asyncDispose]() };
});
describeDurableStore('with an offset', async () => {
  const { store } = await restored();
  return { open: () => store, [Symbol.asyncDispose]: async () => undefined };
});

describe('a store after a restore', () => {
  it('has forgotten every revision that was given out before, and gives none of them out again', async () => {
    const { store } = await restored();
    const { entry, revision } = await store.get('/kept');
    expect(entry?.revision).toBeGreaterThan(offset);
    for (const lost of [1, 700, offset]) {
      await expect(store.get('/kept', { at: lost })).rejects.toBeInstanceOf(CompactedError);
      await expect(
        store.watch('', { after: lost, signal: new AbortController().signal })[Symbol.asyncIterator]().next(),
      ).rejects.toBeInstanceOf(CompactedError);
      // What a client of the lost future believes to be current is not.
      expect(await store.put('/kept', Buffer.from('x'), { expected: lost })).toMatchObject({ outcome: 'lost', current: entry });
    }
    const written = await store.put('/kept', Buffer.from('y'), { expected: entry?.revision ?? 0 });
    expect(written).toMatchObject({ outcome: 'committed', revision: revision + 1 });
  });
});

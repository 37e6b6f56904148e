import { FakeClock } from '@skiff/component-base';
import { describe, expect, it } from 'vitest';
import { describeDurableStore, describeRevisionedStore } from './conformance.ts';
import { createMemoryStore } from './memory-store.ts';

describeDurableStore('memory', async () => ({ open: () => createMemoryStore(), [Symbol.asyncDispose]: async () => undefined }));
describeRevisionedStore('memory', async () => {
  const store = createMemoryStore();
  return { open: () => store, [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() };
});

describe('memory store', () => {
  it('starts behind every revision of an earlier process', async () => {
    const clock = new FakeClock();
    const first = createMemoryStore({}, { clock });
    for (let i = 0; i < 100; i++) await first.put(`/${i}`, Buffer.from('x'), { expected: 0 });
    await clock.advance(1);
    const second = createMemoryStore({}, { clock });
    expect(await second.currentRevision()).toBeGreaterThan(await first.currentRevision());
  });

  it('expires by its clock', async () => {
    const clock = new FakeClock();
    const store = createMemoryStore({ firstRevision: 1 }, { clock });
    await store.put('/a', Buffer.from('x'), { expected: 0, ttlSeconds: 3600 });
    await clock.advance(3_599_000);
    expect((await store.get('/a')).entry).toBeDefined();
    await clock.advance(2_000);
    expect(await store.get('/a')).toEqual({ entry: undefined, revision: 3 });
  });
});

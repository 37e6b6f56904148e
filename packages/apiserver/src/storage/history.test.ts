import { silentLogger, systemClock } from '@skiff/component-base';
import { CompactedError, createMemoryStore } from '@skiff/storage';
import { afterEach, expect, it } from 'vitest';
import { History } from './history.ts';
import { LogFollower } from './log-follower.ts';

let stop: (() => Promise<void>) | undefined;
afterEach(async () => await stop?.());

const minutes = (n: number): number => n * 60_000;

it('a state that is kept dies with its history, however often it is asked for', async () => {
  const store = createMemoryStore();
  const follower = new LogFollower({ root: '/r/' }, { store, clock: systemClock, log: silentLogger });
  const cache = follower.cache('/r/things/');
  let now = 0;
  const history = new History(cache, follower, () => now);
  const controller = new AbortController();
  const running = follower.run(controller.signal);
  stop = async () => {
    controller.abort();
    await running;
  };
  const put = async (name: string): Promise<number> => {
    const result = await store.put(`/r/things/${name}`, Buffer.from('{}'), { expected: 0 });
    if (result.outcome !== 'committed') throw new Error('not put');
    await follower.waitFor(result.revision, 5000);
    return result.revision;
  };
  const first = await put('a');
  history.keep(first, await history.at(first));
  const second = await put('b');
  now = minutes(4);
  expect((await history.at(first)).count('/r/things/')).toBe(1);
  // Its time is over, its history is not: it can be made again, and lives no longer for that.
  now = minutes(5.5);
  expect((await history.at(first)).count('/r/things/')).toBe(1);
  now = minutes(6);
  history.keep(first, await history.at(first));
  await store.compact(second);
  await expect(history.at(first)).rejects.toThrow(CompactedError);
});

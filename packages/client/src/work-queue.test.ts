import { FakeClock, silentLogger } from '@skiff/component-base';
import { describe, expect, it } from 'vitest';
import { createWorkQueue } from './work-queue.ts';

const turn = async (): Promise<void> => {
  for (let i = 0; i < 3; i++) await new Promise<void>((r) => setImmediate(r));
};

describe('work queue', () => {
  it('gives keys in order, each once however often it was added', async () => {
    const queue = createWorkQueue<string>({}, { clock: new FakeClock(), log: silentLogger });
    for (const key of ['a', 'b', 'a', 'c', 'b']) queue.add(key);
    const seen: string[] = [];
    const stop = new AbortController();
    const done = queue.process(async (key) => void seen.push(key), { concurrency: 1, signal: stop.signal });
    await turn();
    stop.abort();
    await done;
    expect(seen).toEqual(['a', 'b', 'c']);
  });

  it('never works on one key twice at once, and remembers what was added meanwhile', async () => {
    const queue = createWorkQueue<string>({}, { clock: new FakeClock(), log: silentLogger });
    let running = 0;
    let most = 0;
    let runs = 0;
    const release: (() => void)[] = [];
    const stop = new AbortController();
    queue.add('a');
    const done = queue.process(
      async () => {
        running += 1;
        runs += 1;
        most = Math.max(most, running);
        await new Promise<void>((r) => release.push(r));
        running -= 1;
      },
      { concurrency: 3, signal: stop.signal },
    );
    await turn();
    queue.add('a');
    queue.add('a');
    await turn();
    expect(runs).toBe(1);
    release.shift()?.();
    await turn();
    expect(runs).toBe(2);
    release.shift()?.();
    await turn();
    expect([runs, most]).toEqual([2, 1]);
    stop.abort();
    await done;
  });

  it('doubles the delay of retries up to the limit until the key is forgotten', async () => {
    const clock = new FakeClock();
    const queue = createWorkQueue<string>({ retryInitialMs: 5, retryMaxMs: 20 }, { clock, log: silentLogger });
    const at: number[] = [];
    const startMs = clock.now();
    const stop = new AbortController();
    queue.add('a');
    const done = queue.process(
      async (key) => {
        at.push(clock.now() - startMs);
        if (at.length === 5) queue.forget(key);
        if (at.length < 7) queue.retry(key);
      },
      { concurrency: 1, signal: stop.signal },
    );
    await clock.advance(1000);
    expect(at).toEqual([0, 5, 15, 35, 55, 60, 70]);
    stop.abort();
    await done;
  });

  it('keeps the earlier of two delayed additions', async () => {
    const clock = new FakeClock();
    const queue = createWorkQueue<string>({}, { clock, log: silentLogger });
    queue.addAfter('a', 100);
    queue.addAfter('a', 10);
    queue.addAfter('a', 50);
    await clock.advance(10);
    expect(queue.length).toBe(1);
    await clock.advance(1000);
    expect(queue.length).toBe(1);
  });
});

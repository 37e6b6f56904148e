import { expect, it } from 'vitest';
import { createReplayFilter, nanosSince } from './log-replay.ts';

const at = (nanos: number): string => `2026-11-21T09:43:55.${String(nanos).padStart(9, '0').replace(/0+$/, '')}Z`.replace('.Z', 'Z');

it('tells each entry once, whatever the engine repeats', () => {
  const isNew = createReplayFilter();
  const seen = (times: readonly number[], stream = 'stdout'): boolean[] => times.map((t) => isNew({ stream, time: at(t) }));
  expect(seen([10, 20, 30, 30])).toEqual([true, true, true, true]);
  expect(seen([15], 'stderr')).toEqual([true]);
  // Long lines come in parts with one time.
  expect(seen([20, 30, 30, 30, 40])).toEqual([false, false, false, true, true]);
  expect(seen([15, 25], 'stderr')).toEqual([true, true]);
  expect(seen([10, 20, 30])).toEqual([false, false, false]);
  expect(seen([30, 30, 40, 50])).toEqual([false, false, false, true]);
});

it('takes a clock that was set back for what it is', () => {
  const isNew = createReplayFilter();
  const seen = [500, 600, 100, 101, 700].map((t) => isNew({ stream: 'stdout', time: at(t) }));
  expect(seen).toEqual([true, true, true, true, true]);
  expect(isNew({ stream: 'stdout', time: 'no time' })).toBe(true);
});

it('reads times to the nanosecond', () => {
  const base = Date.parse('2026-11-21T00:00:00Z') / 1000;
  expect(nanosSince('2026-11-21T00:00:01.5Z', base)).toBe(1_500_000_000);
  expect(nanosSince('2026-11-21T00:00:01Z', base)).toBe(1_000_000_000);
  expect(nanosSince('2027-01-01T00:00:00.000000001Z', base) % 10).toBe(1);
});

it('knows a whole file again', () => {
  const isNew = createReplayFilter();
  const tell = (from: number, to: number): number => {
    let told = 0;
    for (let t = from; t <= to; t++) if (isNew({ stream: 'stdout', time: at(t) })) told += 1;
    return told;
  };
  expect(tell(1, 200_000)).toBe(200_000);
  expect(tell(100_000, 200_010)).toBe(10);
});

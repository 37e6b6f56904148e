import { describe, expect, it } from 'vitest';
import { amountOf, defaultThresholds, parseThresholds, type Signal, type Threshold } from './signals.ts';
import { advancePressure, calm, mostUrgent, type Observation, type PressureState } from './thresholds.ts';

const none = { soft: {}, softGracePeriod: {}, minimumReclaim: {} };
const mi = 1024 ** 2;

describe('parseThresholds', () => {
  it('takes amounts and percentages, hard and soft', () => {
    expect(
      parseThresholds({
        hard: { 'memory.available': '100Mi', 'nodefs.available': '10%', 'imagefs.available': '0%' },
        soft: { 'memory.available': '200Mi' },
        softGracePeriod: { 'memory.available': '1m30s' },
        minimumReclaim: { 'nodefs.available': '500Mi' },
      }),
    ).toEqual([
      { signal: 'memory.available', value: { quantity: '100Mi' }, graceMs: 0 },
      { signal: 'nodefs.available', value: { share: 0.1 }, graceMs: 0, minReclaim: { quantity: '500Mi' } },
      { signal: 'memory.available', value: { quantity: '200Mi' }, graceMs: 90_000 },
    ]);
  });
  it.each([
    [{ ...none, hard: { 'mem.available': '1Mi' } }, 'unsupported eviction signal mem.available'],
    [{ ...none, hard: { 'memory.available': '-1Mi' } }, 'eviction threshold memory.available must be positive: -1Mi'],
    [{ ...none, hard: { 'memory.available': '101%' } }, 'eviction percentage threshold memory.available must be <= 100%: 101%'],
    [{ ...none, soft: { 'memory.available': '1Mi' } }, 'grace period must be specified for the soft eviction threshold memory.available'],
    [{ ...none, hard: { 'memory.available': 'x' } }, 'eviction thresholds are quantities or percentages, not "x"'],
    [{ ...none, minimumReclaim: { 'pid.available': '0%' } }, 'eviction percentage minimum reclaim pid.available must be positive: 0%'],
  ])('refuses %j', (settings, message) => {
    expect(() => parseThresholds(settings)).toThrow(message);
  });
  it('holds the default thresholds of large disks to an amount', () => {
    const nodefs = defaultThresholds.find((t) => t.signal === 'nodefs.available') as Threshold;
    expect(amountOf(nodefs.value, 20 * 1024 ** 3)).toBe(2 * 1024 ** 3);
    expect(amountOf(nodefs.value, 1024 ** 4)).toBe(10 * 1024 ** 3);
  });
});

describe('advancePressure', () => {
  const hard: Threshold = { signal: 'memory.available', value: { quantity: '100Mi' }, graceMs: 0, minReclaim: { quantity: '50Mi' } };
  const soft: Threshold = { signal: 'nodefs.available', value: { share: 0.1 }, graceMs: 60_000 };
  const step = (state: PressureState, nowMs: number, o: { memory: number; disk: number }): PressureState =>
    advancePressure(state, {
      thresholds: [soft, hard],
      seen: new Map<Signal, Observation>([
        ['memory.available', { available: o.memory * mi, capacity: 1000 * mi }],
        ['nodefs.available', { available: o.disk, capacity: 100 }],
      ]),
      nowMs,
      transitionMs: 300_000,
    });

  it('acts at once on a hard threshold, until more than it is free again, and reports the pressure for a while after', () => {
    let s = step(calm, 0, { memory: 99, disk: 50 });
    expect([s.acting, [...s.conditions]]).toEqual([[hard], ['MemoryPressure']]);
    s = step(s, 1000, { memory: 120, disk: 50 });
    expect(s.acting).toEqual([hard]);
    s = step(s, 2000, { memory: 150, disk: 50 });
    expect([s.acting, [...s.conditions]]).toEqual([[], ['MemoryPressure']]);
    s = step(s, 3000, { memory: 120, disk: 50 });
    expect(s.acting).toEqual([]);
    expect([...step(s, 301_000, { memory: 120, disk: 50 }).conditions]).toEqual([]);
  });
  it('waits for the grace of a soft threshold, and begins again when it was not met in between', () => {
    let s = step(calm, 0, { memory: 500, disk: 9 });
    expect([s.acting, [...s.conditions]]).toEqual([[], ['DiskPressure']]);
    expect(step(s, 60_000, { memory: 500, disk: 9 }).acting).toEqual([soft]);
    s = step(s, 30_000, { memory: 500, disk: 20 });
    expect(step(s, 60_000, { memory: 500, disk: 9 }).acting).toEqual([]);
  });
  it('turns to memory first', () => {
    const s = step(step(calm, 0, { memory: 9, disk: 9 }), 60_000, { memory: 9, disk: 9 });
    expect(s.acting).toHaveLength(2);
    expect(mostUrgent(s.acting)).toBe(hard);
  });
});

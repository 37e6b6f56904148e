import { describe, expect, it } from 'vitest';
import type { BackendGroup } from '../table/types.ts';
import { Picker } from './picker.ts';

const a = { address: '10.0.0.1', port: 80 };
const b = { address: '10.0.0.2', port: 80 };
const c = { address: '10.0.0.3', port: 80 };
const none: ReadonlySet<string> = new Set();

function setUp(group: BackendGroup, draining: readonly string[] = []) {
  let nowMs = 0;
  let turn = 0;
  // Goes through all values in turn, so that nothing is left to chance.
  const random = (): number => (turn++ % 12) / 12;
  const picker = new Picker(group, (address) => draining.includes(address), { nowMs: () => nowMs, random });
  const picked = (n: number, client = 'x', tried = none): Record<string, number> => {
    const counts: Record<string, number> = {};
    for (let i = 0; i < n; i++) {
      const key = picker.pick(client, tried)?.address ?? 'none';
      counts[key] = (counts[key] ?? 0) + 1;
    }
    return counts;
  };
  return { picker, picked, advance: (ms: number) => (nowMs += ms) };
}

describe('picker', () => {
  it('spreads evenly', () => {
    expect(setUp({ endpoints: [a, b, c] }).picked(12)).toEqual({ '10.0.0.1': 4, '10.0.0.2': 4, '10.0.0.3': 4 });
  });
  it('never chooses what was tried, and nothing when all was', () => {
    const { picker, picked } = setUp({ endpoints: [a, b] });
    expect(picked(6, 'x', new Set(['10.0.0.1:80']))).toEqual({ '10.0.0.2': 6 });
    expect(picker.pick('x', new Set(['10.0.0.1:80', '10.0.0.2:80']))).toBeUndefined();
  });
  it('avoids what just failed while there is another, longer if it was silent', () => {
    const { picker, picked, advance } = setUp({ endpoints: [a, b] });
    picker.failed(a, false);
    expect(picked(6)).toEqual({ '10.0.0.2': 6 });
    picker.failed(b, true);
    expect(Object.keys(picked(12))).toHaveLength(2);
    advance(600);
    expect(picked(6)).toEqual({ '10.0.0.1': 6 });
    picker.succeeded(b);
    expect(Object.keys(picked(12))).toHaveLength(2);
  });
  it('tries what stays silent less and less often', () => {
    const { picker, picked, advance } = setUp({ endpoints: [a, b] });
    const onlyB = { '10.0.0.2': 6 };
    picker.failed(a, true);
    picker.failed(a, true);
    advance(4_900);
    expect(picked(6)).toEqual(onlyB);
    advance(200);
    expect(Object.keys(picked(12))).toHaveLength(2);
    picker.failed(a, true);
    advance(9_900);
    expect(picked(6)).toEqual(onlyB);
    advance(200);
    expect(Object.keys(picked(12))).toHaveLength(2);
    picker.succeeded(a);
    picker.failed(a, true);
    advance(5_100);
    expect(Object.keys(picked(12))).toHaveLength(2);
  });
  it('avoids what drains while there is another', () => {
    expect(setUp({ endpoints: [a, b] }, ['10.0.0.1']).picked(6)).toEqual({ '10.0.0.2': 6 });
    expect(setUp({ endpoints: [a] }, ['10.0.0.1']).picked(6)).toEqual({ '10.0.0.1': 6 });
  });
  it('keeps a client on its endpoint for the time of the affinity since its last connection', () => {
    const { picker, picked, advance } = setUp({ endpoints: [a, b, c], affinitySeconds: 10 });
    expect(Object.keys(picked(15, 'x'))).toHaveLength(1);
    const first = picker.pick('x', none)?.address ?? '';
    for (let i = 0; i < 5; i++) {
      advance(9_000);
      expect(picker.pick('x', none)?.address).toBe(first);
    }
    const seen = new Set<string | undefined>();
    for (let i = 0; i < 12; i++) {
      advance(11_000);
      seen.add(picker.pick('x', none)?.address);
    }
    expect(seen.size).toBe(3);
  });
  it('moves a client whose endpoint is gone, and all when affinity is switched off', () => {
    const { picker, picked } = setUp({ endpoints: [a, b], affinitySeconds: 10 });
    const first = picker.pick('x', none) ?? a;
    const other = first.address === a.address ? b : a;
    picker.update({ endpoints: [other], affinitySeconds: 10 });
    expect(picker.pick('x', none)).toEqual(other);
    picker.update({ endpoints: [a, b] });
    expect(Object.keys(picked(12, 'x'))).toHaveLength(2);
    picker.update({ endpoints: [a, b], affinitySeconds: 10 });
    expect(Object.keys(picked(12, 'x'))).toHaveLength(1);
  });
});

import { describe, expect, it } from 'vitest';
import { elect, rankNodes, type ElectionInput } from './election.ts';

const nodes = ['a', 'b', 'c'];
const address = '192.0.2.10';
const input = (o: Partial<ElectionInput>): ElectionInput => ({ address, me: 'a', holder: '', eligible: nodes, isDead: () => false, ...o });
const [first = '', second = '', third = ''] = rankNodes(address, nodes);

describe('who announces an address', () => {
  it('is ranked alike by all, and a node that goes moves nobody else', () => {
    expect(rankNodes(address, ['c', 'a', 'b'])).toEqual([first, second, third]);
    expect(rankNodes(address, [first, third])).toEqual([first, third]);
    const firsts = Array.from({ length: 60 }, (_, i) => rankNodes(`192.0.2.${i}`, nodes)[0]);
    for (const n of nodes) expect(firsts.filter((f) => f === n).length).toBeGreaterThan(5);
  });
  it('is who has it, as long as it may and lives', () => {
    expect(elect(input({ me: third, holder: third })).announce).toBe(true);
    expect(elect(input({ me: first, holder: third }))).toEqual({ announce: false, watch: [third], rank: undefined, isFirstAlive: false });
  });
  it('is the first in rank when nobody has it; others wait', () => {
    expect(elect(input({ me: first }))).toMatchObject({ announce: false, rank: 0, isFirstAlive: true });
    expect(elect(input({ me: second }))).toMatchObject({ rank: 1, isFirstAlive: false, watch: [first] });
    expect(elect(input({ me: second, isDead: (n) => n === first }))).toMatchObject({ rank: 1, isFirstAlive: true });
  });
  it('is taken over when the holder is dead or no longer eligible', () => {
    expect(elect(input({ me: second, holder: first, isDead: (n) => n === first }))).toMatchObject({ rank: 0, isFirstAlive: true });
    expect(elect(input({ me: second, holder: first, eligible: [second, third] }))).toMatchObject({ rank: 0 });
    expect(elect(input({ me: first, holder: second, eligible: [second, third], isDead: () => true })).rank).toBeUndefined();
  });
  it('is still watched while dead, so that its return is seen', () => {
    expect(elect(input({ me: second, holder: first, isDead: (n) => n === first })).watch).toContain(first);
  });
});

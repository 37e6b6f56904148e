import { describe, expect, it } from 'vitest';
import { firstFree, formatCidr, overlaps, parseCidr } from './cidr-set.ts';

const free = (cluster: string, mask: number, ...taken: string[]): string | undefined => {
  const found = firstFree(parseCidr(cluster), mask, taken.map(parseCidr));
  return found === undefined ? undefined : formatCidr(found);
};

describe('CIDRs', () => {
  it.each([
    ['10.0.5.7/24', '10.0.5.0/24'],
    ['fd00:1::5/64', 'fd00:1::/64'],
    ['::/0', '::/0'],
  ])('reads and writes %s', (text, canonical) => {
    expect(formatCidr(parseCidr(text))).toBe(canonical);
  });
  it('knows overlaps', () => {
    expect(overlaps(parseCidr('10.0.0.0/8'), parseCidr('10.9.0.0/24'))).toBe(true);
    expect(overlaps(parseCidr('10.0.0.0/24'), parseCidr('10.0.1.0/24'))).toBe(false);
    expect(overlaps(parseCidr('::/0'), parseCidr('10.0.1.0/24'))).toBe(false);
  });
  it.each([
    [['10.200.0.0/16', 24], [], '10.200.0.0/24'],
    [['10.200.0.0/16', 24], ['10.200.0.0/24', '10.200.2.0/24'], '10.200.1.0/24'],
    [['10.200.0.0/16', 24], ['10.200.0.0/20'], '10.200.16.0/24'],
    [['10.200.0.0/24', 25], ['10.200.0.5/32'], '10.200.0.128/25'],
    [['10.200.0.0/24', 25], ['10.200.0.5/32', '10.200.0.200/32'], undefined],
    [['fd00::/48', 64], ['fd00::/64'], 'fd00:0:0:1::/64'],
  ] as const)('finds room in %j without %j', ([cluster, mask], taken, expected) => {
    expect(free(cluster, mask, ...taken)).toBe(expected);
  });
});

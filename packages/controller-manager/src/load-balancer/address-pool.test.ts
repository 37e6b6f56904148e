import { describe, expect, it } from 'vitest';
import { parseAddressPool } from './address-pool.ts';

const all = (...texts: string[]): string[] => [...(parseAddressPool(texts)?.addresses() ?? [])];

describe('address pool', () => {
  it('takes CIDRs, ranges and single addresses, in order', () => {
    expect(all('192.0.2.252/30', '198.51.100.7-198.51.100.9', '203.0.113.5')).toEqual([
      '192.0.2.252',
      '192.0.2.253',
      '192.0.2.254',
      '198.51.100.7',
      '198.51.100.8',
      '198.51.100.9',
      '203.0.113.5',
    ]);
    expect(parseAddressPool([])).toBeUndefined();
  });
  it('knows what is in it', () => {
    const pool = parseAddressPool(['192.0.2.16/28']);
    expect(pool?.contains('192.0.2.31')).toBe(true);
    expect(pool?.contains('192.0.2.32')).toBe(false);
    expect(pool?.contains('::1')).toBe(false);
    expect(pool?.contains('nonsense')).toBe(false);
  });
  it.each(['10.0.0.0/8', '10.0.0.9-10.0.0.1', '10.0.0.0/33', '10.0.0.x', 'fd00::/64'])('refuses %s', (text) => {
    expect(() => parseAddressPool([text])).toThrow(text);
  });
  it('refuses what overlaps Services or pods', () => {
    expect(() => parseAddressPool(['10.96.3.0/28'], ['10.96.0.0/16'])).toThrow('overlap 10.96.0.0/16');
    expect(parseAddressPool(['10.97.3.0/28'], ['10.96.0.0/16', 'fd00::/108'])).toBeDefined();
  });
});

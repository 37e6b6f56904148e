import { describe, expect, it } from 'vitest';
import { FakeClock } from '@skiff/component-base';
import { createAddressPool } from './ipam.ts';

describe('address pool', () => {
  it('goes round, and lets released addresses rest', async () => {
    const clock = new FakeClock();
    const pool = createAddressPool('10.0.0.0/29', clock);
    expect(['a', 'b', 'c'].map((o) => pool.allocate(o))).toEqual(['10.0.0.2', '10.0.0.3', '10.0.0.4']);
    pool.release('a');
    expect(pool.allocate('d')).toBe('10.0.0.5');
    expect(pool.allocate('e')).toBe('10.0.0.6');
    // Nothing else is left: better a warm address than none.
    expect(pool.allocate('f')).toBe('10.0.0.2');
    expect(() => pool.allocate('g')).toThrow('no address is left');
    pool.release('b');
    await clock.advance(31_000);
    expect(pool.allocate('g')).toBe('10.0.0.3');
  });

  it('adopts what runs already', () => {
    const pool = createAddressPool('10.0.0.0/24', new FakeClock());
    pool.adopt('10.0.0.7', 'a');
    pool.adopt('10.0.0.7', 'a');
    expect(() => pool.adopt('10.0.0.7', 'b')).toThrow('belongs to a');
    pool.adopt('192.168.0.1', 'elsewhere');
    expect(pool.allocate('c')).toBe('10.0.0.8');
    expect(pool.size).toBe(2);
  });
});

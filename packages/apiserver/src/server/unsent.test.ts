import { describe, expect, it } from 'vitest';
import { UnsentBytes } from './unsent.ts';

describe('UnsentBytes', () => {
  it('cuts the longest waiting stream when the process is over its budget', () => {
    let now = 0;
    const cut: string[] = [];
    const unsent = new UnsentBytes({ processBytes: 100, stallMs: 1000 }, () => now);
    const a = unsent.open(() => cut.push('a'));
    const b = unsent.open(() => cut.push('b'));
    a.update(60);
    now = 10;
    b.update(30);
    now = 20;
    a.update(50);
    b.update(60);
    expect(cut).toEqual(['b']);
    expect(unsent.total).toBe(50);
    a[Symbol.dispose]();
    expect(unsent.total).toBe(0);
  });

  it('cuts what makes no progress', () => {
    let now = 0;
    const cut: string[] = [];
    const unsent = new UnsentBytes({ processBytes: 1000, stallMs: 1000 }, () => now);
    const a = unsent.open(() => cut.push('a'));
    a.update(60);
    now = 900;
    a.update(50);
    now = 1500;
    unsent.sweep();
    expect(cut).toEqual([]);
    a.update(55);
    now = 2000;
    unsent.sweep();
    expect(cut).toEqual(['a']);
  });
});

import { describe, expect, it } from 'vitest';
import { expandStrictly, expandVariables } from './expand.ts';

const env: Readonly<Record<string, string>> = { A: 'a', B: '$(A)', EMPTY: '' };
const lookup = (name: string): string | undefined => env[name];

describe('expandVariables', () => {
  it.each([
    ['', ''],
    ['plain', 'plain'],
    ['$(A)', 'a'],
    ['x$(A)y$(A)', 'xaya'],
    ['$(B)', '$(A)'],
    ['$(EMPTY)!', '!'],
    ['$(NONE)', '$(NONE)'],
    ['$$(A)', '$(A)'],
    ['$$$(A)', '$a'],
    ['$A', '$A'],
    ['$', '$'],
    ['a$', 'a$'],
    ['$(A', '$(A'],
    ['$()', '$()'],
    ['($(A))', '(a)'],
    ['$$$$', '$$'],
  ])('%s → %s', (input, output) => expect(expandVariables(input, lookup)).toBe(output));

  it('can insist on knowing every name', () => {
    expect(expandStrictly('$(A)/x', lookup)).toBe('a/x');
    expect(() => expandStrictly('$(NONE)', lookup)).toThrow('missing value for "NONE"');
  });
});

import { describe, expect, it } from 'vitest';
import { findProgram, hostKind } from './requirements.ts';

describe('hostKind', () => {
  it.each([
    ['ID=debian\nVERSION_ID="12"', 'debian'],
    ['ID=ubuntu\nID_LIKE=debian', 'debian'],
    ['ID=linuxmint\nID_LIKE="ubuntu debian"', 'debian'],
    ['ID="fedora"', 'other'],
    ['', 'other'],
  ])('%j is %s', (text, kind) => expect(hostKind(text)).toBe(kind));
});

it('finds programs and misses what is not there', () => {
  expect(findProgram('sh')).toMatch(/\/sh$/);
  expect(findProgram('no-such-program-here')).toBeUndefined();
});

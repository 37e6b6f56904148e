import { describe, expect, it } from 'vitest';
import { ArrayList, type Value } from '../values.ts';
import { NotJsonError, toJson } from './to-json.ts';

describe('a value as JSON', () => {
  it('has no form when it names one part of itself without end', () => {
    let value: Value = new ArrayList([1n]);
    for (let level = 0; level < 40; level++) value = new ArrayList([value, value]);
    expect(() => toJson(value)).toThrow(NotJsonError);
  });
});

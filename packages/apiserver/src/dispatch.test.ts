import { builtinResources as definitions } from '@skiff/api';
import { describe, expect, it } from 'vitest';
import { isRead } from './dispatch.ts';

describe('isRead', () => {
  const of = (plural: string, subresource = ''): boolean => {
    const definition = definitions.find((d) => d.plural === plural);
    if (definition === undefined) throw new Error(`no ${plural}`);
    return isRead(definition, subresource);
  };
  it('is false of reviews and of what is only posted', () => {
    expect(of('selfsubjectaccessreviews')).toBe(false);
    expect(of('tokenreviews')).toBe(false);
    expect(of('pods', 'eviction')).toBe(false);
    expect(of('serviceaccounts', 'token')).toBe(false);
  });
  it('is true of everything else', () => {
    expect(of('pods')).toBe(true);
    expect(of('pods', 'status')).toBe(true);
    expect(of('componentstatuses')).toBe(true);
  });
});

import { describe, expect, it } from 'vitest';
import { checkMaskSizes, createCidrAllocator } from './cidr-allocator.ts';
import { formatCidr, parseCidr } from './cidr-set.ts';

const make = (cluster: string, mask: number) => {
  const allocator = createCidrAllocator({ clusters: [parseCidr(cluster)], maskSize: () => mask });
  const given = new Map<string, string>();
  return {
    add: (name: string): string | undefined => {
      const found = allocator.allocate(name, [...given.values()].map(parseCidr))?.map(formatCidr)[0];
      if (found !== undefined) given.set(name, found);
      return found;
    },
    remove: (name: string): void => {
      allocator.release(name, [parseCidr(given.get(name) ?? '')]);
      given.delete(name);
    },
  };
};

describe('ranges of nodes', () => {
  it('come back to the node that had them, and to others as late as possible', () => {
    const nodes = make('10.0.0.0/22', 24);
    expect(['a', 'b'].map(nodes.add)).toEqual(['10.0.0.0/24', '10.0.1.0/24']);
    nodes.remove('a');
    expect(nodes.add('c')).toBe('10.0.2.0/24');
    expect(nodes.add('a')).toBe('10.0.0.0/24');
    nodes.remove('b');
    nodes.remove('a');
    expect(nodes.add('d')).toBe('10.0.3.0/24');
    expect(nodes.add('e')).toBe('10.0.1.0/24');
    expect(nodes.add('a')).toBe('10.0.0.0/24');
    expect(nodes.add('b')).toBeUndefined();
    nodes.remove('c');
    expect(nodes.add('b')).toBe('10.0.2.0/24');
  });
  it('have sizes that the flags must allow', () => {
    const check = (cluster: string, mask: number): string | undefined => checkMaskSizes([parseCidr(cluster)], () => mask);
    expect(check('10.0.0.0/16', 24)).toBeUndefined();
    expect(check('10.0.0.0/26', 24)).toBe('--node-cidr-mask-size between 26 and 30 for 10.0.0.0/26, not 24');
    expect(check('10.0.0.0/8', 28)).toBe('--node-cidr-mask-size of at most 24 for 10.0.0.0/8, not 28');
    expect(check('fd00::/48', 80)).toBe('--node-cidr-mask-size-ipv6 of at most 64 for fd00::/48, not 80');
  });
});

import { describe, expect, it } from 'vitest';
import { createPendingAttachments } from './pending-attachments.ts';

describe('an exclusive volume', () => {
  const make = () => {
    const inApi = new Set<string>();
    const pending = createPendingAttachments(async (name) => inApi.has(name));
    const reserve = (node: string, attachedTo?: string) =>
      pending.reserve('pv', { node, attachment: `on-${node}`, attachedTo: () => attachedTo });
    return { inApi, pending, reserve };
  };
  it('goes to one of two nodes that ask at once, whatever the cache does not show yet', async () => {
    const { inApi, pending, reserve } = make();
    expect(await Promise.all([reserve('a'), reserve('b')])).toEqual([undefined, 'a']);
    inApi.add('on-a');
    pending.asked('pv', 'on-a');
    expect(await reserve('b')).toBe('a');
    pending.seen('pv', 'on-a');
    expect(await reserve('b', 'a')).toBe('a');
    expect(await reserve('b')).toBeUndefined();
  });
  it('goes to the next when the attachment was refused', async () => {
    const { pending, reserve } = make();
    expect(await reserve('a')).toBeUndefined();
    pending.asked('pv', 'on-a');
    expect(await Promise.all([reserve('b'), reserve('c')])).toEqual([undefined, 'b']);
    // An answer that comes late is not the new holder's.
    pending.asked('pv', 'on-a');
    expect(await reserve('c')).toBe('b');
  });
  it('stays with the node that asks again', async () => {
    const { reserve } = make();
    expect(await reserve('a')).toBeUndefined();
    expect(await reserve('a')).toBeUndefined();
    expect(await reserve('b')).toBe('a');
  });
});

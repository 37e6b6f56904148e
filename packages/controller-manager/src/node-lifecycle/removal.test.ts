import type { Node } from '@skiff/api';
import { describe, expect, it } from 'vitest';
import { SilenceCounter } from './removal.ts';

const node = (name: string, status: string, labels: Record<string, string> = {}, uid = name): Node => ({
  metadata: { name, uid, labels },
  status: { conditions: [{ type: 'Ready', status, reason: 'x', message: '' }] },
});
const names = (nodes: readonly { readonly metadata?: { readonly name?: string } }[]): unknown => nodes.map((n) => n.metadata?.name);

describe('nodes that are gone for good', () => {
  it('are those that were silent all the time', () => {
    const counter = new SilenceCounter();
    const look = (status: string, passedMs: number): unknown => names(counter.look([node('a', 'True'), node('b', status)], passedMs, 100));
    expect(look('Unknown', 1_000)).toEqual([]);
    expect(look('Unknown', 60)).toEqual([]);
    expect(look('True', 60)).toEqual([]);
    expect(look('Unknown', 60)).toEqual([]);
    expect(look('Unknown', 60)).toEqual([]);
    expect(look('Unknown', 60)).toEqual(['b']);
  });
  it('are not those of the control plane, nor another node of the name', () => {
    const counter = new SilenceCounter();
    const control = node('c', 'Unknown', { 'node-role.kubernetes.io/control-plane': '' });
    counter.look([node('a', 'True'), control, node('b', 'Unknown')], 0, 100);
    expect(names(counter.look([node('a', 'True'), control, node('b', 'Unknown', {}, 'new')], 100, 100))).toEqual([]);
    expect(names(counter.look([node('a', 'True'), control, node('b', 'Unknown', {}, 'new')], 100, 100))).toEqual(['b']);
  });
  it('are none while nobody can be heard', () => {
    const counter = new SilenceCounter();
    for (let i = 0; i < 9; i++) expect(counter.look([node('a', 'Unknown'), node('b', 'Unknown')], 100, 100)).toEqual([]);
    expect(counter.look([node('a', 'True'), node('b', 'Unknown')], 50, 100)).toEqual([]);
    expect(names(counter.look([node('a', 'True'), node('b', 'Unknown')], 50, 100))).toEqual(['b']);
  });
});

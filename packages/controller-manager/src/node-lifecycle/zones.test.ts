import type { Node } from '@skiff/api';
import { FakeClock } from '@skiff/component-base';
import { describe, expect, it } from 'vitest';
import { defaultConfig } from '../config.ts';
import { evictionRate, EvictionZones, zoneOf, zoneState } from './zones.ts';

const rates = defaultConfig.evictionRates;
const node = (name: string, ready: string, labels: Record<string, string> = {}): Node => ({
  metadata: { name, labels },
  status: { conditions: [{ type: 'Ready', status: ready }] },
});
const zone = (name: string): Record<string, string> => ({ 'topology.kubernetes.io/zone': name });
const many = (count: number, ready: string, labels: Record<string, string> = {}): Node[] =>
  Array.from({ length: count }, (_, i) => node(`${ready}-${i}`, ready, labels));

describe('zoneState', () => {
  it.each([
    [0, 0, 'Normal'],
    [0, 1, 'FullDisruption'],
    [1, 2, 'Normal'],
    [2, 3, 'PartialDisruption'],
    [3, 3, 'Normal'],
    [10, 1, 'Normal'],
  ])('%i ready, %i not: %s', (ready, notReady, expected) => {
    expect(zoneState({ ready, notReady }, 0.55)).toBe(expected);
  });
});

describe('evictionRate', () => {
  it.each([
    ['Normal', 3, 0.1],
    ['FullDisruption', 3, 0.1],
    ['PartialDisruption', 50, 0],
    ['PartialDisruption', 51, 0.01],
  ] as const)('%s with %i nodes: %d a second', (state, size, expected) => {
    expect(evictionRate(state, size, rates)).toBe(expected);
  });
});

describe('zoneOf', () => {
  it.each([
    [{}, ''],
    [{ 'topology.kubernetes.io/region': 'r', 'topology.kubernetes.io/zone': 'z' }, 'r/z'],
    [{ 'failure-domain.beta.kubernetes.io/zone': 'old', 'topology.kubernetes.io/zone': 'z' }, '/old'],
  ])('%j: %s', (labels, expected) => {
    expect(zoneOf(node('n', 'True', labels))).toBe(expected);
  });
});

describe('EvictionZones', () => {
  it('lets one node go at once, then one every ten seconds', async () => {
    const clock = new FakeClock();
    const zones = new EvictionZones(rates, clock);
    const lost = many(4, 'Unknown');
    zones.update([...many(10, 'True'), ...lost]);
    const taken: number[] = [];
    for (let second = 0; second <= 30; second++) {
      if (zones.take(lost[0] ?? node('n', 'Unknown'))) taken.push(second);
      await clock.advance(1000);
    }
    expect(taken).toEqual([0, 10, 20, 30]);
  });
  it('lets none go from a small zone that is mostly down, few from a large one, and the other zone is not touched by it', async () => {
    const clock = new FakeClock();
    const zones = new EvictionZones(rates, clock);
    const all = [
      ...many(1, 'True', zone('a')),
      ...many(4, 'Unknown', zone('a')),
      ...many(20, 'True', zone('b')),
      ...many(40, 'Unknown', zone('b')),
      node('c1', 'Unknown', zone('c')),
    ];
    expect(zones.update(all)).toEqual([
      { zone: '/a', state: 'PartialDisruption' },
      { zone: '/b', state: 'PartialDisruption' },
      { zone: '/c', state: 'FullDisruption' },
    ]);
    expect(zones.update(all)).toEqual([]);
    await clock.advance(1000);
    expect(zones.take(node('x', 'Unknown', zone('a')))).toBe(false);
    expect(zones.take(node('x', 'Unknown', zone('b')))).toBe(true);
    // All of zone c is down, but not all zones are.
    expect(zones.take(node('x', 'Unknown', zone('c')))).toBe(true);
    await clock.advance(99_000);
    expect(zones.take(node('x', 'Unknown', zone('b')))).toBe(false);
    await clock.advance(1000);
    expect(zones.take(node('x', 'Unknown', zone('b')))).toBe(true);
  });
  it('stops everything while no zone has a ready node; excluded nodes do not count', () => {
    const zones = new EvictionZones(rates, new FakeClock());
    const lost = node('a', 'Unknown', zone('a'));
    const spared = node('s', 'True', { ...zone('a'), 'node.kubernetes.io/exclude-disruption': '' });
    zones.update([lost, node('b', 'False', zone('b')), spared]);
    expect(zones.allDown).toBe(true);
    expect(zones.take(lost)).toBe(false);
    zones.update([lost, node('b', 'True', zone('b')), spared]);
    expect(zones.allDown).toBe(false);
    expect(zones.take(lost)).toBe(true);
    zones.update([spared]);
    expect(zones.allDown).toBe(false);
  });
});

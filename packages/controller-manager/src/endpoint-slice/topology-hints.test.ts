import type { Endpoint, Node } from '@skiff/api';
import { describe, expect, it } from 'vitest';
import { allocateZones, wantsTopologyHints, zoneShares } from './topology-hints.ts';

const node = (zone: string | undefined, cpu = '4', ready = 'True', labels: Record<string, string> = {}): Node => ({
  metadata: { labels: { ...labels, ...(zone === undefined ? {} : { 'topology.kubernetes.io/zone': zone }) } },
  status: { allocatable: { cpu }, conditions: [{ type: 'Ready', status: ready }] },
});
const endpoints = (zones: Readonly<Record<string, number>>): Endpoint[] =>
  Object.entries(zones).flatMap(([zone, n]) =>
    Array.from({ length: n }, (_, i) => ({ addresses: [`10.0.${zone.charCodeAt(0)}.${i}`], zone, conditions: { ready: true } })),
  );
const shares = zoneShares([node('a'), node('b'), node('c')]);
const counts = (zones: Readonly<Record<string, number>>, of = shares): unknown => {
  const result = allocateZones(endpoints(zones), of);
  if ('disabled' in result) return result.disabled;
  const found: Record<string, number> = {};
  for (const zone of result.zones.values()) found[zone] = (found[zone] ?? 0) + 1;
  return found;
};

describe('shares of zones', () => {
  it("follow the CPU of ready nodes, without control planes'", () => {
    const nodes = [
      node('a', '1'),
      node('a', '500m'),
      node('b', '500m'),
      node('c', '8', 'False'),
      node(undefined, '8', 'True', { 'node-role.kubernetes.io/control-plane': '' }),
    ];
    expect(zoneShares(nodes)).toEqual(
      new Map([
        ['a', 0.75],
        ['b', 0.25],
      ]),
    );
  });
  it('are unknown when a node has no zone, or all are in one', () => {
    expect(zoneShares([node('a'), node(undefined)])).toBeUndefined();
    expect(zoneShares([node('a'), node('a')])).toBeUndefined();
  });
});

describe('hints', () => {
  it.each<[Record<string, number>, unknown]>([
    [
      { a: 2, b: 2, c: 2 },
      { a: 2, b: 2, c: 2 },
    ],
    [
      { a: 4, b: 1, c: 1 },
      { a: 2, b: 2, c: 2 },
    ],
    [{ a: 6 }, { a: 2, b: 2, c: 2 }],
    [
      { a: 5, d: 1 },
      { a: 2, b: 2, c: 2 },
    ],
    [{ a: 1, b: 1 }, 'Insufficient number of endpoints (2 endpoints, 3 zones)'],
  ])('%j become %j', (zones, expected) => {
    expect(counts(zones)).toEqual(expected);
  });
  it('are not given when a zone would be overloaded, or an endpoint has no zone', () => {
    const uneven = zoneShares([node('a', '10'), node('b', '1'), node('c', '1')]);
    expect(counts({ a: 1, b: 1, c: 1 }, uneven)).toMatch(/^Unable to allocate minimum required endpoints/);
    const [first, ...rest] = endpoints({ a: 1, b: 1, c: 1 });
    const { zone: _, ...homeless } = first ?? { addresses: [] };
    expect(allocateZones([homeless, ...rest], shares)).toEqual({ disabled: 'One or more endpoints do not have a zone specified' });
    expect(allocateZones(endpoints({ a: 3 }), undefined)).toMatchObject({
      disabled: expect.stringMatching(/^Insufficient Node/) as string,
    });
  });
  it('are wanted by either annotation, the older one first', () => {
    const service = (annotations: Record<string, string>) => ({ metadata: { annotations } });
    expect(wantsTopologyHints(service({ 'service.kubernetes.io/topology-mode': 'Auto' }))).toBe(true);
    expect(
      wantsTopologyHints(
        service({ 'service.kubernetes.io/topology-mode': 'Auto', 'service.kubernetes.io/topology-aware-hints': 'disabled' }),
      ),
    ).toBe(false);
    expect(wantsTopologyHints({})).toBe(false);
  });
});

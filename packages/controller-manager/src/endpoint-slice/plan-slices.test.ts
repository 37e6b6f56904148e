import type { Endpoint, EndpointSlice } from '@skiff/api';
import { describe, expect, it } from 'vitest';
import { planSlices, type PlanInput } from './plan-slices.ts';

const port = { name: 'http', port: 80, protocol: 'TCP' };
const endpoint = (n: number, ready = true): Endpoint => ({
  addresses: [`10.0.0.${n}`],
  conditions: { ready, serving: ready, terminating: false },
  targetRef: { kind: 'Pod', uid: `u${n}` },
});
const labels = { 'kubernetes.io/service-name': 'web' };
const slice = (name: string, endpoints: Endpoint[], ports = [port]): EndpointSlice => ({
  metadata: { name, labels },
  addressType: 'IPv4',
  endpoints,
  ports,
});
const plan = (o: Partial<PlanInput>) =>
  planSlices({
    addressType: 'IPv4',
    groups: [],
    existing: [],
    metadata: { generateName: 'web-', labels },
    maxEndpoints: 3,
    placeholder: true,
    ...o,
  });
const group = (...endpoints: Endpoint[]) => [{ ports: [port], endpoints }];
const sizes = (slices: readonly EndpointSlice[]): number[] => slices.map((s) => (s.endpoints ?? []).length);

describe('planSlices', () => {
  it('writes nothing when all is as it should be', () => {
    expect(plan({ groups: group(endpoint(1), endpoint(2)), existing: [slice('a', [endpoint(2), endpoint(1)])] })).toEqual({
      create: [],
      update: [],
      remove: [],
    });
  });
  it('splits new endpoints over slices', () => {
    expect(sizes(plan({ groups: group(...[1, 2, 3, 4, 5, 6, 7].map((n) => endpoint(n))) }).create)).toEqual([3, 3, 1]);
  });
  it('adds to a slice that must be written anyhow', () => {
    const result = plan({
      groups: group(endpoint(1, false), endpoint(3), endpoint(4)),
      existing: [slice('a', [endpoint(1)]), slice('b', [endpoint(3)])],
    });
    expect(result.update.map((s) => [s.metadata?.name, sizes([s])[0]])).toEqual([['a', 2]]);
    expect([result.create, result.remove]).toEqual([[], []]);
  });
  it('fills the fullest slice that has room for the rest', () => {
    const existing = [slice('a', [endpoint(1)]), slice('b', [endpoint(2), endpoint(3)])];
    const result = plan({ groups: group(endpoint(1), endpoint(2), endpoint(3), endpoint(4)), existing });
    expect(result.update.map((s) => s.metadata?.name)).toEqual(['b']);
  });
  it('removes slices that became empty or have other ports', () => {
    const existing = [slice('a', [endpoint(1)]), slice('b', [endpoint(2)]), slice('c', [endpoint(3)], [{ ...port, port: 81 }])];
    const result = plan({ groups: group(endpoint(1)), existing });
    expect(result.remove.map((s) => s.metadata?.name)).toEqual(['b', 'c']);
    expect(result.update).toEqual([]);
  });
  it('keeps one placeholder when there is no endpoint', () => {
    expect(plan({}).create).toMatchObject([{ endpoints: [], ports: [] }]);
    expect(plan({ existing: [slice('a', [], [])] })).toEqual({ create: [], update: [], remove: [] });
    const emptied = plan({ existing: [slice('a', [endpoint(1)])] });
    expect([sizes(emptied.create), emptied.remove.length]).toEqual([[0], 1]);
    expect(plan({ placeholder: false, existing: [slice('a', [endpoint(1)])] }).create).toEqual([]);
  });
  it('brings labels up to date', () => {
    const existing = [{ ...slice('a', [endpoint(1)]), metadata: { name: 'a', labels: { ...labels, old: 'x' } } }];
    expect(plan({ groups: group(endpoint(1)), existing }).update.map((s) => s.metadata?.labels)).toEqual([labels]);
  });
});

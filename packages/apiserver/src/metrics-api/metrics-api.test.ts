import type { Node, Pod } from '@skiff/api';
import { formatTime } from '@skiff/component-base';
import { describe, expect, it } from 'vitest';
import { partsOf } from './metrics-api.ts';
import { nodeMetrics, podMetrics } from './metrics-objects.ts';
import { parseSummary, type Usage } from './node-usage.ts';

/** `[CPU nanoseconds, when it started]`; the latter is long ago where nothing is said. */
type Containers = Record<string, number | readonly [number, number]>;
const summary = (ms: number, nodeNanos: number, containers: Containers): string =>
  JSON.stringify({
    node: { cpu: { usageCoreNanoSeconds: nodeNanos }, memory: { workingSetBytes: 2 * 1024 ** 3 } },
    pods: [
      {
        podRef: { name: 'p', namespace: 'n' },
        containers: Object.entries(containers).map(([name, said]) => {
          const [nanos, startedAtMs] = typeof said === 'number' ? [said, now - 3_600_000] : said;
          return {
            name,
            startTime: formatTime(startedAtMs),
            cpu: { time: formatTime(ms), usageCoreNanoSeconds: nanos },
            memory: { workingSetBytes: 3_000_000 },
          };
        }),
      },
    ],
  });
const at = (ms: number, nodeNanos: number, containers: Containers): ReturnType<typeof parseSummary> =>
  parseSummary(summary(ms, nodeNanos, containers), ms);
const now = Date.UTC(2026, 0, 1);
const node: Node = { metadata: { name: 'n1', labels: { a: 'b' } } };
const pod: Pod = { metadata: { name: 'p', namespace: 'n' } };

describe('metrics.k8s.io', () => {
  const usage: Usage = { before: at(now - 2000, 4e9, { c: 1e9 }), after: at(now, 6e9, { c: 1.5e9 }) };

  it('tells rates between two samples', () => {
    expect(nodeMetrics(node, usage, now)).toEqual({
      kind: 'NodeMetrics',
      apiVersion: 'metrics.k8s.io/v1beta1',
      metadata: { name: 'n1', labels: { a: 'b' }, creationTimestamp: '2026-01-01T00:00:00Z' },
      timestamp: '2026-01-01T00:00:00Z',
      window: '2s',
      usage: { cpu: '1000000000n', memory: '2097152Ki' },
    });
  });
  it('tells what each container used between the samples', () => {
    expect(podMetrics(pod, usage, now)).toMatchObject({
      metadata: { name: 'p', namespace: 'n' },
      window: '2s',
      containers: [{ name: 'c', usage: { cpu: '250000000n', memory: '2929Ki' } }],
    });
    expect(podMetrics({ metadata: { name: 'other', namespace: 'n' } }, usage, now)).toBeUndefined();
  });
  it('counts from its start a container that started after the first sample', () => {
    const fresh = { before: at(now - 30_000, 4e9, {}), after: at(now, 6e9, { c: [3e9, now - 12_000] }) };
    expect(podMetrics(pod, fresh, now)).toMatchObject({ window: '12s', containers: [{ name: 'c', usage: { cpu: '250000000n' } }] });
    // It used more than the one before it, but not since the first sample.
    const restarted = {
      before: at(now - 30_000, 4e9, { c: 1e9, side: 1e9 }),
      after: at(now, 6e9, { c: [2e9, now - 20_000], side: 1.3e9 }),
    };
    expect(podMetrics(pod, restarted, now)).toMatchObject({
      window: '30s',
      containers: [
        { name: 'c', usage: { cpu: '100000000n' } },
        { name: 'side', usage: { cpu: '10000000n' } },
      ],
    });
  });
  it('tells nothing of a pod while one of its containers has no rate yet', () => {
    const fresh = { before: at(now - 30_000, 4e9, { c: 1e9 }), after: at(now, 6e9, { c: 2e9, fresh: [1e9, now - 9000] }) };
    expect(podMetrics(pod, fresh, now)).toBeUndefined();
    const backwards = { before: at(now - 2000, 4e9, { c: 1e9 }), after: at(now, 6e9, { c: [1e6, now - 1000] }) };
    expect(podMetrics(pod, backwards, now)).toBeUndefined();
  });
  it('takes paths as they are written', () => {
    const under = '/apis/metrics.k8s.io/v1beta1';
    expect(partsOf(`${under}/`)).toEqual([]);
    expect(partsOf(`${under}/namespaces/n/pods/a%2eb`)).toEqual(['namespaces', 'n', 'pods', 'a.b']);
    for (const path of [
      'namespaces/n/pods/../../../pods',
      'namespaces/n/pods/%2e%2e/%2E./../pods',
      'namespaces/./pods',
      'namespaces//pods',
    ]) {
      expect(() => partsOf(`${under}/${path}`)).toThrow(expect.objectContaining({ code: 404 }));
    }
  });
});

import type { Node, Pod } from '@skiff/api';
import { describe, expect, it } from 'vitest';
import { partsOf } from './metrics-api.ts';
import { nodeMetrics, podMetrics } from './metrics-objects.ts';
import { parseSummary, type Usage } from './node-usage.ts';

const at = (ms: number, nodeNanos: number, containers: Record<string, number>): ReturnType<typeof parseSummary> =>
  parseSummary(
    JSON.stringify({
      node: { cpu: { usageCoreNanoSeconds: nodeNanos }, memory: { workingSetBytes: 2 * 1024 ** 3 } },
      pods: [
        {
          podRef: { name: 'p', namespace: 'n' },
          containers: Object.entries(containers).map(([name, nanos]) => ({
            name,
            cpu: { usageCoreNanoSeconds: nanos },
            memory: { workingSetBytes: 3_000_000 },
          })),
        },
      ],
    }),
    ms,
  );
const node: Node = { metadata: { name: 'n1', labels: { a: 'b' } } };
const pod: Pod = { metadata: { name: 'p', namespace: 'n' } };
const now = Date.UTC(2026, 0, 1);

describe('metrics.k8s.io', () => {
  const usage: Usage = {
    before: at(now - 2000, 4e9, { c: 1e9, restarted: 5e9 }),
    after: at(now, 6e9, { c: 1.5e9, restarted: 1e6, fresh: 1 }),
  };

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
  it('leaves out containers that did not run all the time', () => {
    expect(podMetrics(pod, usage, now)).toMatchObject({
      metadata: { name: 'p', namespace: 'n' },
      containers: [{ name: 'c', usage: { cpu: '250000000n', memory: '2929Ki' } }],
    });
    expect(podMetrics({ metadata: { name: 'other', namespace: 'n' } }, usage, now)).toBeUndefined();
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

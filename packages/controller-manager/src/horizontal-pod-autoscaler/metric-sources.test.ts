import { deployment, namespace } from '@skiff/api';
import { StatusError } from '@skiff/apimachinery';
import type { Client } from '@skiff/client';
import { describe, expect, it } from 'vitest';
import { createMetricSources, selectorText } from './metric-sources.ts';

function world(answers: Readonly<Record<string, object>>) {
  const asked: string[] = [];
  const client = {
    request: ({ path, query = {} }: { path: string; query?: Readonly<Record<string, string | undefined>> }) => {
      const given = Object.entries(query).flatMap(([k, v]) => (v === undefined ? [] : [`${k}=${v}`]));
      asked.push([path, ...given].join(' '));
      const answer = answers[path];
      const missing = new StatusError('NotFound', 'the server could not find the requested resource').toStatus();
      return Promise.resolve({ code: answer === undefined ? 404 : 200, headers: {}, body: Buffer.from(JSON.stringify(answer ?? missing)) });
    },
  } as unknown as Client;
  return { asked, sources: createMetricSources({ client, nowMs: () => 0 }) };
}
const { signal } = new AbortController();
const timestamp = '2026-01-01T12:00:00Z';
const atMs = Date.parse(timestamp);

describe('metrics', () => {
  it('of resources: pods that say all, by container where that is wanted', async () => {
    const container = (name: string, cpu?: string) => ({ name, usage: cpu === undefined ? {} : { cpu } });
    const items = [
      { metadata: { name: 'a' }, timestamp, window: '15.5s', containers: [container('main', '250000001n'), container('side', '1')] },
      { metadata: { name: 'b' }, timestamp, window: '15s', containers: [container('main', '1'), container('side')] },
      { metadata: { name: 'c' }, timestamp, window: '15s', containers: [] },
    ];
    const path = '/apis/metrics.k8s.io/v1beta1/namespaces/ns/pods';
    const { sources, asked } = world({ [path]: { items } });
    const of = (name: string) => sources.resource({ resource: 'cpu', namespace: 'ns', selector: 'app=web', container: name, signal });
    expect([...(await of(''))]).toEqual([['a', { value: 1251, atMs, windowMs: 15_500 }]]);
    expect([...(await of('main')).keys()]).toEqual(['a', 'b']);
    expect(asked[0]).toBe(`${path} labelSelector=app=web`);
    const none = world({ [path]: { items: [] } }).sources;
    await expect(none.resource({ resource: 'cpu', namespace: 'ns', selector: '', container: '', signal })).rejects.toThrow(
      'no metrics returned from resource metrics API',
    );
  });

  it('of custom metrics: in a version that both know, of pods and of one object', async () => {
    const root = '/apis/custom.metrics.k8s.io';
    const item = { describedObject: { name: 'a' }, timestamp, value: '500m' };
    const { sources, asked } = world({
      [root]: { versions: [{ version: 'v1beta1' }, { version: 'v1' }] },
      [`${root}/v1beta1/namespaces/ns/pods/*/hits`]: { items: [item, { ...item, describedObject: { name: 'b' }, windowSeconds: 5 }] },
      [`${root}/v1beta1/namespaces/ns/deployments.apps/web/hits`]: { items: [item] },
      [`${root}/v1beta1/namespaces/ns/metrics/hits`]: { items: [item, item] },
    });
    expect([...(await sources.pods({ metric: 'hits', namespace: 'ns', selector: 'app=web', metricSelector: 'verb=GET', signal }))]).toEqual(
      [
        ['a', { value: 500, atMs, windowMs: 60_000 }],
        ['b', { value: 500, atMs, windowMs: 5000 }],
      ],
    );
    expect(asked[1]).toContain('labelSelector=app=web metricLabelSelector=verb=GET');
    const object = { metric: 'hits', namespace: 'ns', metricSelector: '', signal };
    expect(await sources.object({ ...object, resource: deployment, name: 'web' })).toBe(500);
    await expect(sources.object({ ...object, resource: namespace, name: 'elsewhere' })).rejects.toThrow('returned 2 results');
    expect(asked.filter((a) => a === root)).toHaveLength(1);
    await expect(world({}).sources.object({ ...object, resource: deployment, name: 'web' })).rejects.toThrow(
      'no custom metrics API (custom.metrics.k8s.io) registered',
    );
  });

  it('from outside', async () => {
    const path = '/apis/external.metrics.k8s.io/v1beta1/namespaces/ns/queue%2Fa';
    const { sources } = world({ [path]: { items: [{ value: '3' }, { value: '1500m' }] } });
    const o = { namespace: 'ns', metricSelector: '', signal };
    expect(await sources.external({ ...o, metric: 'queue/a' })).toEqual([3000, 1500]);
    await expect(sources.external({ ...o, metric: 'other' })).rejects.toThrow(
      'unable to fetch metrics from external metrics API: the server could not find the requested resource',
    );
  });

  it('are chosen by selectors as queries have them', () => {
    expect(selectorText(undefined)).toBe('');
    const matchExpressions = [
      { key: 'b', operator: 'In', values: ['x', 'y'] },
      { key: 'c', operator: 'NotIn', values: ['z'] },
      { key: 'd', operator: 'Exists' },
      { key: 'e', operator: 'DoesNotExist' },
    ];
    expect(selectorText({ matchLabels: { a: '1' }, matchExpressions })).toBe('a=1,b in (x,y),c notin (z),d,!e');
  });
});

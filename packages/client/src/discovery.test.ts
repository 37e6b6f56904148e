import { describe, expect, it } from 'vitest';
import type { Client } from './contract.ts';
import { discoverResources } from './discovery.ts';

const serving = (documents: Record<string, unknown>): Client => {
  const partial: Partial<Client> = {
    request: async ({ path }) => {
      const document = documents[path];
      return { code: document === undefined ? 503 : 200, headers: {}, body: Buffer.from(JSON.stringify(document ?? {})) };
    },
  };
  return partial as Client;
};

describe('discoverResources', () => {
  it('reads aggregated discovery: preferred versions first, stale ones as failures', async () => {
    const list = (items: unknown[]): unknown => ({ kind: 'APIGroupDiscoveryList', items });
    const hpa = {
      resource: 'horizontalpodautoscalers',
      scope: 'Namespaced',
      verbs: ['list'],
      responseKind: { kind: 'HorizontalPodAutoscaler' },
    };
    const result = await discoverResources(
      serving({
        '/api': list([
          {
            metadata: {},
            versions: [
              { version: 'v1', resources: [{ resource: 'pods', scope: 'Namespaced', verbs: ['delete'], responseKind: { kind: 'Pod' } }] },
            ],
          },
        ]),
        '/apis': list([
          {
            metadata: { name: 'autoscaling' },
            versions: [
              { version: 'v2', resources: [hpa] },
              { version: 'v1', resources: [hpa] },
            ],
          },
          { metadata: { name: 'metrics' }, versions: [{ version: 'v1', freshness: 'Stale', resources: [] }] },
        ]),
      }),
    );
    expect(result.resources.map((r) => [r.group, r.version, r.plural, r.kind])).toEqual([
      ['', 'v1', 'pods', 'Pod'],
      ['autoscaling', 'v2', 'horizontalpodautoscalers', 'HorizontalPodAutoscaler'],
    ]);
    expect([...result.failures.keys()]).toEqual(['metrics/v1']);
  });

  it('falls back to one document for each group version', async () => {
    const result = await discoverResources(
      serving({
        '/api': { kind: 'APIVersions', versions: ['v1'] },
        '/api/v1': {
          resources: [
            { name: 'pods', kind: 'Pod', namespaced: true, verbs: ['delete'] },
            { name: 'pods/status', kind: 'Pod', namespaced: true, verbs: ['get'] },
          ],
        },
        '/apis': { kind: 'APIGroupList', groups: [{ name: 'gone', versions: [{ version: 'v1' }] }] },
      }),
    );
    expect(result.resources.map((r) => r.plural)).toEqual(['pods']);
    expect([...result.failures.keys()]).toEqual(['gone/v1']);
  });
});

import { configMap, limitRange, pod, resourceQuota, service, type LimitRange, type Pod, type ResourceQuota } from '@skiff/api';
import type { DeepReadonly, JsonObject, ResourceDefinition } from '@skiff/apimachinery';
import { describe, expect, it } from 'vitest';
import type { AdmissionRequest } from '../contract.ts';
import { FakeObjects } from '../object-access.fake.ts';
import { limitRanger } from './limit-ranger.ts';
import { createAdmissionChain } from './plugin.ts';
import { resourceQuotaAdmission } from './resource-quota.ts';

function world(o: { quotas?: Record<string, { spec: ResourceQuota['spec']; used: Record<string, string> }>; range?: LimitRange['spec'] }) {
  const objects = new FakeObjects();
  for (const [name, { spec, used }] of Object.entries(o.quotas ?? {})) {
    objects.put<ResourceQuota>(resourceQuota, {
      metadata: { name, namespace: 'a' },
      ...(spec === undefined ? {} : { spec }),
      status: { hard: spec?.hard ?? {}, used },
    });
  }
  if (o.range !== undefined) objects.put<LimitRange>(limitRange, { metadata: { name: 'range', namespace: 'a' }, spec: o.range });
  const chain = createAdmissionChain([limitRanger(objects), resourceQuotaAdmission(objects, Date)]);
  const admit = async (definition: ResourceDefinition, object: unknown, more: Partial<AdmissionRequest> = {}): Promise<JsonObject> => {
    const r: AdmissionRequest = {
      operation: 'CREATE',
      definition,
      subresource: '',
      namespace: 'a',
      name: '',
      object: object as JsonObject,
      oldObject: null,
      options: {},
      dryRun: false,
      user: { name: 'bob', groups: [] },
      warnings: [],
      memo: new Map(),
      ...more,
    };
    const signal = new AbortController();
    await chain.mutate(r, signal);
    await chain.validate(r, signal);
    return r.object as JsonObject;
  };
  const used = (name: string): DeepReadonly<Record<string, string>> | undefined =>
    objects.get<ResourceQuota>(resourceQuota, 'a', name)?.status?.used;
  return { admit, used };
}
const newPod = (resources?: object, spec: object = {}): Pod =>
  ({ metadata: { name: 'p', namespace: 'a' }, spec: { containers: [{ name: 'c', ...(resources ? { resources } : {}) }], ...spec } }) as Pod;
const podKind = pod as unknown as ResourceDefinition;
const mapKind = configMap as unknown as ResourceDefinition;

describe('ResourceQuota', () => {
  it('of 100 at once lets exactly as many pass as there is room for', async () => {
    const { admit, used } = world({ quotas: { q: { spec: { hard: { configmaps: '10' } }, used: { configmaps: '0' } } } });
    const outcomes = await Promise.allSettled(Array.from({ length: 100 }, (_, i) => admit(mapKind, { metadata: { name: `m${i}` } })));
    expect(outcomes.filter((o) => o.status === 'fulfilled')).toHaveLength(10);
    expect(used('q')).toEqual({ configmaps: '10' });
    const refused = outcomes.find((o) => o.status === 'rejected');
    expect(String(refused?.reason)).toContain(
      'configmaps "m10" is forbidden: exceeded quota: q, requested: configmaps=1, used: configmaps=10, limited: configmaps=10',
    );
  });

  it('takes back from one quota what another refuses', async () => {
    const { admit, used } = world({
      quotas: {
        a: { spec: { hard: { pods: '5', 'requests.cpu': '4' } }, used: { pods: '1', 'requests.cpu': '1' } },
        b: { spec: { hard: { 'limits.cpu': '1' } }, used: { 'limits.cpu': '500m' } },
      },
    });
    await expect(admit(podKind, newPod({ requests: { cpu: '1' }, limits: { cpu: '1' } }))).rejects.toThrow(
      'exceeded quota: b, requested: limits.cpu=1, used: limits.cpu=500m, limited: limits.cpu=1',
    );
    expect(used('a')).toEqual({ pods: '1', 'requests.cpu': '1' });
    await admit(podKind, newPod({ requests: { cpu: '250m' }, limits: { cpu: '500m' } }));
    expect(used('a')).toEqual({ pods: '2', 'requests.cpu': '1250m' });
    expect(used('b')).toEqual({ 'limits.cpu': '1' });
  });

  it('wants named what it counts, and its own state known', async () => {
    const { admit } = world({ quotas: { q: { spec: { hard: { memory: '1Gi', cpu: '1' } }, used: { memory: '0', cpu: '0' } } } });
    await expect(admit(podKind, newPod({ requests: { cpu: '1' } }))).rejects.toThrow('failed quota: q: must specify memory for: c');
    const unknown = world({ quotas: { q: { spec: { hard: { pods: '1' } }, used: {} } } });
    await expect(unknown.admit(podKind, newPod())).rejects.toThrow('status unknown for quota: q, resources: pods');
  });

  it('counts only what is in its scopes', async () => {
    const { admit, used } = world({
      quotas: {
        best: { spec: { hard: { pods: '5' }, scopes: ['BestEffort'] }, used: { pods: '0' } },
        ending: { spec: { hard: { pods: '5' }, scopes: ['Terminating'] }, used: { pods: '0' } },
        high: {
          spec: {
            hard: { pods: '5' },
            scopeSelector: { matchExpressions: [{ scopeName: 'PriorityClass', operator: 'In', values: ['high'] }] },
          },
          used: { pods: '0' },
        },
      },
    });
    await admit(podKind, newPod({ requests: { cpu: '1' } }, { activeDeadlineSeconds: 10 }));
    await admit(podKind, newPod(undefined, { priorityClassName: 'high' }));
    expect([used('best'), used('ending'), used('high')].map((u) => u?.['pods'])).toEqual(['1', '1', '1']);
  });

  it('charges updates by the difference, dry runs and repetitions not at all', async () => {
    const { admit, used } = world({
      quotas: { q: { spec: { hard: { services: '2', 'services.nodeports': '2' } }, used: { services: '1', 'services.nodeports': '1' } } },
    });
    const kind = service as unknown as ResourceDefinition;
    const withPorts = (n: number): object => ({
      metadata: { name: 's' },
      spec: { type: 'NodePort', ports: Array.from({ length: n }, () => ({})) },
    });
    const memo = new Map<string, unknown>();
    const update = { operation: 'UPDATE', oldObject: withPorts(1) as JsonObject, memo } as const;
    await admit(kind, withPorts(2), update);
    await admit(kind, withPorts(2), update);
    expect(used('q')).toEqual({ services: '1', 'services.nodeports': '2' });
    await expect(admit(kind, withPorts(1), { dryRun: true })).rejects.toThrow('exceeded quota: q, requested: services.nodeports=1');
    await admit(kind, { metadata: { name: 't' }, spec: { type: 'ClusterIP', ports: [{}] } }, { dryRun: true });
    expect(used('q')).toEqual({ services: '1', 'services.nodeports': '2' });
  });
});

describe('LimitRanger', () => {
  const range: LimitRange['spec'] = {
    limits: [
      {
        type: 'Container',
        min: { cpu: '50m', memory: '100Mi' },
        max: { cpu: '500m', memory: '500Mi' },
        default: { cpu: '500m', memory: '500Mi' },
        defaultRequest: { cpu: '100m', memory: '200Mi' },
        maxLimitRequestRatio: { cpu: '5' },
      },
    ],
  };
  it('gives what is not named, and says so', async () => {
    const { admit } = world({ range });
    const admitted = (await admit(podKind, newPod({ limits: { cpu: '300m' } }))) as unknown as Pod;
    expect(admitted.spec?.containers[0]?.resources).toEqual({
      requests: { cpu: '100m', memory: '200Mi' },
      limits: { cpu: '300m', memory: '500Mi' },
    });
    expect(admitted.metadata?.annotations?.['kubernetes.io/limit-ranger']).toBe(
      'LimitRanger plugin set: cpu, memory request for container c; memory limit for container c',
    );
  });
  it.each([
    [
      { requests: { cpu: '10m' } },
      '[minimum cpu usage per Container is 50m, but request is 10m, cpu max limit to request ratio per Container is 5, but provided ratio is 50.000000]',
    ],
    [{ requests: { memory: '600Mi' }, limits: { memory: '600Mi' } }, 'maximum memory usage per Container is 500Mi, but limit is 600Mi'],
  ])('refuses %j', async (resources, message) => {
    const { admit } = world({ range });
    await expect(admit(podKind, newPod(resources))).rejects.toThrow(`pods "p" is forbidden: ${message}`);
  });
  it('adds up containers and sidecars for a bound on the pod', async () => {
    const { admit } = world({ range: { limits: [{ type: 'Pod', max: { cpu: '1' } }] } });
    const cpu = { resources: { requests: { cpu: '600m' }, limits: { cpu: '600m' } } };
    const spec = { containers: [{ name: 'c', ...cpu }], initContainers: [{ name: 's', restartPolicy: 'Always', ...cpu }] };
    await expect(admit(podKind, newPod(undefined, spec))).rejects.toThrow('maximum cpu usage per Pod is 1, but limit is 1200m');
    await admit(podKind, newPod(undefined, { ...spec, initContainers: [{ name: 'i', ...cpu }] }));
  });
});

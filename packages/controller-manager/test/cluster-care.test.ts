import {
  configMap,
  deployment,
  endpoints,
  endpointSlice,
  namespace as namespaces,
  node,
  pod as pods,
  replicationController,
  secret,
  service,
  serviceAccount,
  tokenReview,
  type Pod,
  type ReplicationController,
} from '@skiff/api';
import { hasReason, type OwnerReference } from '@skiff/apimachinery';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestCluster, type TestCluster } from './support/cluster.ts';
import { until } from './support/until.ts';

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await startTestCluster();
});
afterAll(async () => {
  await cluster[Symbol.asyncDispose]();
});

const plainPod = (namespace: string, name: string, o: Partial<NonNullable<Pod['metadata']>> = {}): Pod => ({
  metadata: { namespace, name, ...o },
  spec: { containers: [{ name: 'c', image: 'i' }] },
});
const rc = (namespace: string, name: string, replicas: number): ReplicationController => ({
  metadata: { namespace, name },
  spec: {
    replicas,
    selector: { app: name },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
  },
});
const full = (replicas: number) => (all: readonly ReplicationController[]) => all.some((r) => r.status?.readyReplicas === replicas);

describe('namespaces', () => {
  it('publish the CA, and again when somebody edits or deletes it', async () => {
    const { client } = cluster;
    const namespace = await cluster.namespace();
    const key = { namespace, name: 'kube-root-ca.crt' };
    const holds = (all: readonly { metadata?: { name?: string }; data?: Record<string, string> }[]) =>
      all.some(
        (m) => m.metadata?.name === key.name && m.data?.['ca.crt']?.startsWith('-----BEGIN') === true && Object.keys(m.data).length === 1,
      );
    await until(client, configMap, { namespace, holds });
    await client.patch(configMap, key, { type: 'merge', body: { data: { 'ca.crt': 'garbage', more: 'x' } } });
    await until(client, configMap, { namespace, holds });
    await client.delete(configMap, key);
    await until(client, configMap, { namespace, holds });
  });

  it('have tokens in Secrets that ask for them, as long as their ServiceAccount lives', async () => {
    const { client } = cluster;
    const namespace = await cluster.namespace();
    const account = await client.create(serviceAccount, { metadata: { namespace, name: 'robot' } });
    const annotations = { 'kubernetes.io/service-account.name': 'robot' };
    await client.create(secret, { metadata: { namespace, name: 'token', annotations }, type: 'kubernetes.io/service-account-token' });
    const [filled] = await until(client, secret, { namespace, holds: (all) => all.some((s) => s.data?.['token'] !== undefined) });
    expect(Object.keys(filled?.data ?? {}).sort()).toEqual(['ca.crt', 'namespace', 'token']);
    expect(filled?.metadata?.annotations?.['kubernetes.io/service-account.uid']).toBe(account.metadata?.uid);
    const token = Buffer.from(filled?.data?.['token'] ?? '', 'base64').toString();
    const review = await client.create(tokenReview, { spec: { token } });
    expect(review.status).toMatchObject({ authenticated: true, user: { username: `system:serviceaccount:${namespace}:robot` } });
    const day = 'kubernetes.io/legacy-token-last-used';
    await until(client, secret, { namespace, holds: (all) => all.some((s) => s.metadata?.labels?.[day] !== undefined) });
    await client.delete(serviceAccount, { namespace, name: 'robot' });
    await until(client, secret, { namespace, holds: (all) => all.length === 0 });
    expect((await client.create(tokenReview, { spec: { token } })).status).not.toHaveProperty('authenticated');
  });

  it('lose their pods first, and everything else only then', async () => {
    const { client } = cluster;
    const namespace = await cluster.namespace();
    await client.create(configMap, { metadata: { namespace, name: 'kept' } });
    await client.create(pods, plainPod(namespace, 'held', { finalizers: ['test/hold'] }));
    await until(client, pods, { namespace, holds: (all) => all[0]?.status?.phase === 'Running' });
    await client.delete(namespaces, { name: namespace });
    const [terminating] = await until(client, namespaces, {
      holds: (all) => all.some((n) => n.metadata?.name === namespace && (n.status?.conditions ?? []).length === 5),
    }).then((all) => all.filter((n) => n.metadata?.name === namespace));
    expect(terminating?.status?.conditions?.find((c) => c.type === 'NamespaceDeletionContentFailure')?.status).toBe('False');
    expect((await client.get(configMap, { namespace, name: 'kept' })).metadata?.deletionTimestamp).toBeUndefined();
    await client.patch(pods, { namespace, name: 'held' }, { type: 'merge', body: { metadata: { finalizers: null } } });
    await until(client, namespaces, { holds: (all) => all.every((n) => n.metadata?.name !== namespace) });
  });
});

describe('garbage collection', () => {
  it('in the background', async () => {
    const { client } = cluster;
    const namespace = await cluster.namespace();
    await client.create(deployment, {
      metadata: { namespace, name: 'web' },
      spec: {
        replicas: 2,
        selector: { matchLabels: { app: 'web' } },
        template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
      },
    });
    await until(client, pods, { namespace, holds: (all) => all.length === 2 });
    await client.delete(deployment, { namespace, name: 'web' }, { propagationPolicy: 'Background' });
    await until(client, pods, { namespace, holds: (all) => all.length === 0 });
  });

  it('in the foreground: the owner goes last', async () => {
    const { client } = cluster;
    const namespace = await cluster.namespace();
    await client.create(replicationController, rc(namespace, 'a', 3));
    await until(client, replicationController, { namespace, holds: full(3) });
    await client.delete(replicationController, { namespace, name: 'a' }, { propagationPolicy: 'Foreground' });
    await until(client, replicationController, { namespace, holds: (all) => all.length === 0 });
    expect((await client.list(pods, namespace)).items).toEqual([]);
  });

  it('leaves orphans when told to', async () => {
    const { client } = cluster;
    const namespace = await cluster.namespace();
    await client.create(replicationController, rc(namespace, 'a', 3));
    await until(client, replicationController, { namespace, holds: full(3) });
    await client.delete(replicationController, { namespace, name: 'a' }, { propagationPolicy: 'Orphan' });
    await until(client, replicationController, { namespace, holds: (all) => all.length === 0 });
    const left = (await client.list(pods, namespace)).items;
    expect(left.map((p) => [p.metadata?.deletionTimestamp, p.metadata?.ownerReferences])).toEqual([
      [undefined, undefined],
      [undefined, undefined],
      [undefined, undefined],
    ]);
  });

  it('keeps what has another owner, without the reference that died', async () => {
    const { client } = cluster;
    const namespace = await cluster.namespace();
    await client.create(replicationController, rc(namespace, 'dies', 4));
    const stays = await client.create(replicationController, rc(namespace, 'stays', 0));
    await until(client, replicationController, { namespace, holds: full(4) });
    const [p, q] = (await client.list(pods, namespace)).items;
    const second: OwnerReference = { apiVersion: 'v1', kind: 'ReplicationController', name: 'stays', uid: stays.metadata?.uid ?? '' };
    for (const kept of [p, q])
      await client.patch(
        pods,
        { namespace, name: kept?.metadata?.name ?? '' },
        { type: 'strategic', body: { metadata: { ownerReferences: [second] } } },
      );
    await client.delete(replicationController, { namespace, name: 'dies' }, { propagationPolicy: 'Foreground' });
    await until(client, replicationController, { namespace, holds: (all) => all.every((r) => r.metadata?.name !== 'dies') });
    const left = await until(client, pods, { namespace, holds: (all) => all.length === 2 });
    expect(left.map((x) => x.metadata?.ownerReferences?.map((r) => r.name))).toEqual([['stays'], ['stays']]);
  });

  it('comes through a circle', async () => {
    const { client } = cluster;
    const namespace = await cluster.namespace();
    const names = ['a', 'b', 'c'];
    const made = await Promise.all(names.map((name) => client.create(pods, plainPod(namespace, name))));
    const owner = (i: number): OwnerReference => ({
      apiVersion: 'v1',
      kind: 'Pod',
      name: names[i] ?? '',
      uid: made[i]?.metadata?.uid ?? '',
      controller: true,
      blockOwnerDeletion: true,
    });
    for (const [i, name] of names.entries())
      await client.patch(pods, { namespace, name }, { type: 'merge', body: { metadata: { ownerReferences: [owner((i + 2) % 3)] } } });
    await client.delete(pods, { namespace, name: 'a' }, { propagationPolicy: 'Foreground' });
    await until(client, pods, { namespace, holds: (all) => all.length === 0 });
  });

  it('collects what names an owner that is not there', async () => {
    const { client } = cluster;
    const namespace = await cluster.namespace();
    await client.create(configMap, {
      metadata: {
        namespace,
        name: 'lost',
        ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'no', uid: '11111111-1111-1111-1111-111111111111' }],
      },
    });
    await until(client, configMap, { namespace, holds: (all) => all.length > 0 && all.every((m) => m.metadata?.name !== 'lost') });
    await expect(client.get(configMap, { namespace, name: 'lost' })).rejects.toSatisfy((e: unknown) => hasReason(e, 'NotFound'));
  });
});

describe('endpoints', () => {
  it('follow the pods of a Service in both forms', async () => {
    const { client } = cluster;
    const namespace = await cluster.namespace();
    await client.create(service, {
      metadata: { namespace, name: 'web' },
      spec: { selector: { app: 'a' }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
    });
    await until(client, endpointSlice, { namespace, holds: (all) => all.length === 1 && (all[0]?.endpoints ?? []).length === 0 });
    await client.create(replicationController, rc(namespace, 'a', 2));
    const ready = (all: readonly { endpoints?: { conditions?: { ready?: boolean } }[] | null }[]) =>
      all.flatMap((s) => s.endpoints ?? []).filter((e) => e.conditions?.ready === true).length;
    const [slice] = await until(client, endpointSlice, { namespace, holds: (all) => ready(all) === 2 });
    expect(slice?.ports).toEqual([{ name: 'http', port: 8080, protocol: 'TCP' }]);
    expect(slice?.endpoints?.every((e) => e.nodeName?.startsWith('node-') === true && e.targetRef?.kind === 'Pod')).toBe(true);
    await until(client, endpoints, { namespace, holds: (all) => all[0]?.subsets?.[0]?.addresses?.length === 2 });
    await client.patch(replicationController, { namespace, name: 'a' }, { type: 'merge', body: { spec: { replicas: 0 } } });
    await until(client, endpointSlice, { namespace, holds: (all) => ready(all) === 0 });
    await client.delete(service, { namespace, name: 'web' });
    await until(client, endpointSlice, { namespace, holds: (all) => all.length === 0 });
    await until(client, endpoints, { namespace, holds: (all) => all.length === 0 });
  });

  it('that are kept by hand are mirrored', async () => {
    const { client } = cluster;
    const namespace = await cluster.namespace();
    await client.create(service, { metadata: { namespace, name: 'db' }, spec: { ports: [{ port: 5432 }] } });
    await client.create(endpoints, {
      metadata: { namespace, name: 'db' },
      subsets: [{ addresses: [{ ip: '192.0.2.7' }], ports: [{ port: 5432 }] }],
    });
    const [slice] = await until(client, endpointSlice, { namespace, holds: (all) => all.length === 1 });
    expect(slice?.endpoints?.map((e) => e.addresses)).toEqual([['192.0.2.7']]);
    expect(slice?.metadata?.labels?.['endpointslice.kubernetes.io/managed-by']).toBe('endpointslicemirroring-controller.k8s.io');
  });
});

describe('nodes', () => {
  it('get their part of the pod addresses, and the taint of a cordon', async () => {
    const { client } = cluster;
    const all = await until(client, node, { holds: (n) => n.length === 2 && n.every((x) => x.spec?.podCIDR !== undefined) });
    expect(new Set(all.map((n) => n.spec?.podCIDR))).toEqual(new Set(['10.200.0.0/24', '10.200.1.0/24']));
    await client.patch(node, { name: 'node-2' }, { type: 'merge', body: { spec: { unschedulable: true } } });
    await until(client, node, {
      holds: (n) => n.some((x) => (x.spec?.taints ?? []).some((t) => t.key === 'node.kubernetes.io/unschedulable')),
    });
    await client.patch(node, { name: 'node-2' }, { type: 'merge', body: { spec: { unschedulable: null } } });
    await until(client, node, { holds: (n) => n.every((x) => (x.spec?.taints ?? []).length === 0) });
  });
});

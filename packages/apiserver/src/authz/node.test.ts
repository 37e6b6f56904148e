import { persistentVolume, pod, resourceSlice, type PersistentVolume, type Pod, type ResourceSlice } from '@skiff/api';
import { describe, expect, it } from 'vitest';
import { type AuthorizationAttributes, resourceAttributes } from './authorizer.ts';
import { createNodeAuthorizer } from './node.ts';
import { FakeObjects } from '../object-access.fake.ts';

const objects = new FakeObjects();
const authorizer = createNodeAuthorizer(objects);
const kubelet = { name: 'system:node:n1', groups: ['system:nodes'] };

objects.put<Pod>(pod, {
  metadata: { name: 'p', namespace: 'a' },
  spec: {
    nodeName: 'n1',
    serviceAccountName: 'sa',
    imagePullSecrets: [{ name: 'pull' }],
    containers: [{ name: 'c', env: [{ name: 'E', valueFrom: { configMapKeyRef: { name: 'env', key: 'k' } } }] }],
    volumes: [
      { name: 'v', secret: { secretName: 'mounted' } },
      { name: 'w', persistentVolumeClaim: { claimName: 'claim' } },
      { name: 'x', projected: { sources: [{ configMap: { name: 'projected' } }] } },
    ],
  },
} as Pod);
objects.put<Pod>(pod, {
  metadata: { name: 'q', namespace: 'a' },
  spec: { nodeName: 'n2', containers: [], volumes: [{ name: 'v', secret: { secretName: 'other' } }] },
} as unknown as Pod);
objects.put<PersistentVolume>(persistentVolume, {
  metadata: { name: 'pv' },
  spec: {
    claimRef: { namespace: 'a', name: 'claim' },
    csi: { driver: 'd', volumeHandle: 'h', nodePublishSecretRef: { name: 'publish', namespace: 'sys' } },
  },
} as PersistentVolume);

for (const nodeName of ['n1', 'n2'])
  objects.put<ResourceSlice>(resourceSlice, { metadata: { name: `slice-${nodeName}` }, spec: { nodeName } } as ResourceSlice);

const ask = (a: Partial<AuthorizationAttributes>, user = kubelet) =>
  authorizer.authorize(resourceAttributes(user, { verb: 'get', namespace: 'a', ...a }));

describe('Node authorizer', () => {
  const cases: [string, Partial<AuthorizationAttributes>, boolean][] = [
    ['a mounted secret', { resource: 'secrets', name: 'mounted' }, true],
    ['watching it', { resource: 'secrets', name: 'mounted', verb: 'watch' }, true],
    ['a pull secret', { resource: 'secrets', name: 'pull' }, true],
    ["another node's secret", { resource: 'secrets', name: 'other' }, false],
    ['all secrets', { resource: 'secrets', verb: 'list' }, false],
    ['writing a secret', { resource: 'secrets', name: 'mounted', verb: 'update' }, false],
    ['a secret of a volume', { resource: 'secrets', name: 'publish', namespace: 'sys' }, true],
    ['a config map from the environment', { resource: 'configmaps', name: 'env' }, true],
    ['a projected config map', { resource: 'configmaps', name: 'projected' }, true],
    ['another config map', { resource: 'configmaps', name: 'x' }, false],
    ['a claim', { resource: 'persistentvolumeclaims', name: 'claim' }, true],
    ['its volume', { resource: 'persistentvolumes', name: 'pv', namespace: '' }, true],
    ['a token for its account', { resource: 'serviceaccounts', subresource: 'token', name: 'sa', verb: 'create' }, true],
    ['a token for another account', { resource: 'serviceaccounts', subresource: 'token', name: 'default', verb: 'create' }, false],
    ['its own pods', { resource: 'pods', verb: 'list', namespace: '', fieldSelector: 'spec.nodeName=n1' }, true],
    ["another node's pods", { resource: 'pods', verb: 'list', namespace: '', fieldSelector: 'spec.nodeName=n2' }, false],
    ['all pods', { resource: 'pods', verb: 'watch', namespace: '' }, false],
    ['its pod', { resource: 'pods', name: 'p' }, true],
    ["another node's pod", { resource: 'pods', name: 'q' }, false],
    ['pod status', { resource: 'pods', subresource: 'status', name: 'p', verb: 'patch' }, true],
    ['exec', { resource: 'pods', subresource: 'exec', name: 'p', verb: 'create' }, false],
    ['its node', { resource: 'nodes', name: 'n1', namespace: '' }, true],
    ['another node', { resource: 'nodes', name: 'n2', namespace: '' }, false],
    ['deleting its node', { resource: 'nodes', name: 'n1', namespace: '', verb: 'delete' }, true],
    ['deleting another node', { resource: 'nodes', name: 'n2', namespace: '', verb: 'delete' }, false],
    ['deleting all nodes', { resource: 'nodes', namespace: '', verb: 'deletecollection' }, false],
    ['its lease', { group: 'coordination.k8s.io', resource: 'leases', name: 'n1', namespace: 'kube-node-lease', verb: 'update' }, true],
    [
      "another's lease",
      { group: 'coordination.k8s.io', resource: 'leases', name: 'n2', namespace: 'kube-node-lease', verb: 'update' },
      false,
    ],
    ['services', { resource: 'services', verb: 'list', namespace: '' }, true],
    ['deployments', { group: 'apps', resource: 'deployments', verb: 'list' }, false],
    ['token reviews', { group: 'authentication.k8s.io', resource: 'tokenreviews', verb: 'create', namespace: '' }, true],
  ];
  it.each(cases)('%s', (_name, attributes, allowed) => expect(ask(attributes).decision).toBe(allowed ? 'allow' : 'no-opinion'));

  // Compared with upstream's apiserver 1.36.
  const slices = { group: 'resource.k8s.io', resource: 'resourceslices', namespace: '' };
  const unrelated = "no relationship found between node 'n1' and this object";
  const reasons: [Partial<AuthorizationAttributes>, string | undefined][] = [
    [{ resource: 'secrets', name: 'other' }, unrelated],
    [{ resource: 'secrets', verb: 'list' }, 'No Object name found'],
    [{ resource: 'secrets', name: 'mounted', namespace: '' }, 'can only read namespaced object of this type'],
    [{ resource: 'secrets', name: 'mounted', verb: 'update' }, 'can only read resources of this type'],
    [{ resource: 'persistentvolumes', verb: 'list', namespace: '' }, 'can only get individual resources of this type'],
    [{ resource: 'persistentvolumeclaims', subresource: 'status', name: 'claim' }, 'can only get/update/patch this type'],
    [{ resource: 'pods', verb: 'list', namespace: '' }, 'can only list/watch pods with spec.nodeName field selector'],
    [{ resource: 'nodes', verb: 'list', namespace: '' }, "node 'n1' cannot read all nodes, only its own Node object"],
    [{ resource: 'nodes', name: 'n2', namespace: '' }, "node 'n1' cannot read 'n2', only its own Node object"],
    [{ ...slices, name: 'slice-n1' }, undefined],
    [{ ...slices, name: 'slice-n1', verb: 'delete' }, undefined],
    [{ ...slices, name: 'slice-n2', verb: 'patch' }, unrelated],
    [{ ...slices, verb: 'list', fieldSelector: 'spec.nodeName=n1' }, undefined],
    [{ ...slices, verb: 'list' }, 'can only list/watch/deletecollection resourceslices with nodeName field selector'],
    [{ ...slices, name: 'slice-n1', subresource: 'status' }, 'cannot authorize ResourceSlice subresources'],
    [{ resource: 'serviceaccounts', verb: 'create', name: '' }, 'can only create tokens for individual service accounts'],
  ];
  it.each(reasons)('says about %j: %s', (attributes, reason) =>
    expect(ask(attributes)).toEqual({ decision: reason === undefined ? 'allow' : 'no-opinion', reason: reason ?? '' }),
  );

  it('has no opinion on others, and no trust in nameless nodes', () => {
    expect(ask({ resource: 'secrets', name: 'mounted' }, { name: 'bob', groups: [] })).toEqual({ decision: 'no-opinion', reason: '' });
    expect(ask({ resource: 'secrets', name: 'mounted' }, { name: 'system:node:n1', groups: [] }).decision).toBe('no-opinion');
    expect(ask({ resource: 'secrets', name: 'mounted' }, { name: 'system:node:', groups: ['system:nodes'] }).reason).toBe(
      'unknown node for user "system:node:"',
    );
  });

  it('forgets pods that are gone', async () => {
    const own = new FakeObjects();
    const a = createNodeAuthorizer(own);
    own.put<Pod>(pod, {
      metadata: { name: 'p', namespace: 'a' },
      spec: { nodeName: 'n1', containers: [], volumes: [{ name: 'v', secret: { secretName: 's' } }] },
    } as unknown as Pod);
    const attributes = resourceAttributes(kubelet, { verb: 'get', resource: 'secrets', namespace: 'a', name: 's' });
    expect(a.authorize(attributes).decision).toBe('allow');
    await own.delete(pod, 'a', 'p');
    expect(a.authorize(attributes)).toEqual({ decision: 'no-opinion', reason: "no relationship found between node 'n1' and this object" });
  });
});

import {
  certificateSigningRequest,
  csiDriver,
  lease,
  node,
  persistentVolume,
  persistentVolumeClaim,
  pod,
  resourceSlice,
  serviceAccount,
  type CSIDriver,
  type Node,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type Pod,
} from '@skiff/api';
import type { DeepReadonly, JsonObject, ResourceDefinition } from '@skiff/apimachinery';
import { describe, expect, it } from 'vitest';
import type { AdmissionRequest } from '../contract.ts';
import { FakeObjects } from '../object-access.fake.ts';
import { nodeRestriction } from './node-restriction.ts';
import { MutationRounds } from './reinvocation.ts';

const objects = new FakeObjects();
objects.put<Node>(node, { metadata: { name: 'n1', uid: 'u1' } });
const podOn = (name: string, nodeName: string, volumes: unknown[] = []): Pod =>
  objects.put<Pod>(pod, {
    metadata: { name, namespace: 'a', uid: `uid-${name}` },
    spec: { nodeName, serviceAccountName: 'sa', containers: [{ name: 'c' }], volumes },
  } as Pod);
podOn('mine', 'n1', [
  { name: 't', projected: { sources: [{ serviceAccountToken: { path: 't', audience: 'projected' } }] } },
  { name: 'i', csi: { driver: 'inline' } },
  { name: 'c', persistentVolumeClaim: { claimName: 'claim' } },
]);
podOn('waits', 'n1', [{ name: 'c', persistentVolumeClaim: { claimName: 'none' } }]);
podOn('plain', 'n1');
podOn('theirs', 'n2');
objects.put<PersistentVolumeClaim>(persistentVolumeClaim, { metadata: { name: 'claim', namespace: 'a' }, spec: { volumeName: 'pv' } });
objects.put<PersistentVolume>(persistentVolume, {
  metadata: { name: 'pv' },
  spec: { awsElasticBlockStore: { volumeID: 'v' } },
} as PersistentVolume);
for (const [name, audience] of [
  ['inline', 'of-inline'],
  ['ebs.csi.aws.com', 'of-claim'],
] as const)
  objects.put<CSIDriver>(csiDriver, { metadata: { name }, spec: { tokenRequests: [{ audience }] } } as CSIDriver);

const plugin = nodeRestriction(objects, () => ({ name: 'none', authorize: () => ({ decision: 'no-opinion', reason: '' }) }));

type Asked = Partial<Omit<AdmissionRequest, 'object' | 'oldObject' | 'definition'>> & {
  definition: unknown;
  object?: unknown;
  oldObject?: unknown;
};
/** The message of the refusal; undefined when it is admitted. */
async function verdict(r: Asked): Promise<string | undefined> {
  const request: AdmissionRequest = {
    operation: 'CREATE',
    subresource: '',
    namespace: 'a',
    name: '',
    options: {},
    dryRun: false,
    user: { name: 'system:node:n1', groups: ['system:nodes'] },
    warnings: [],
    memo: new Map(),
    ...r,
    definition: r.definition as ResourceDefinition,
    object: (r.object ?? null) as JsonObject | null,
    oldObject: (r.oldObject ?? null) as DeepReadonly<JsonObject> | null,
  };
  expect(plugin.handles(request)).toBe(true);
  try {
    await plugin.mutate?.(request, new AbortController(), new MutationRounds());
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

// Every message here was compared with upstream's apiserver 1.36.
describe('tokens', () => {
  const bound = (name: string, uid = `uid-${name}`): object => ({ apiVersion: 'v1', kind: 'Pod', name, uid });
  const refused = 'serviceaccounts "sa" is forbidden: ';
  it.each([
    [{ boundObjectRef: bound('mine'), audiences: ['projected'] }, undefined],
    [{ boundObjectRef: bound('mine'), audiences: ['of-inline'] }, undefined],
    [{ boundObjectRef: bound('mine'), audiences: ['of-claim'] }, undefined],
    [
      { boundObjectRef: bound('mine'), audiences: ['other'] },
      `${refused}audience "other" not found in pod spec volume, system:node:n1 is not authorized to request tokens for this audience`,
    ],
    [
      { boundObjectRef: bound('plain') },
      `${refused}audience "" not found in pod spec volume, system:node:n1 is not authorized to request tokens for this audience`,
    ],
    [
      { boundObjectRef: bound('waits'), audiences: ['x'] },
      `${refused}error validating audience "x": persistentvolumeclaim "none" not found`,
    ],
    [{ boundObjectRef: bound('mine'), audiences: ['a', 'b'] }, `${refused}node may only request 0 or 1 audiences`],
    [{}, `${refused}node requested token not bound to a pod`],
    [{ boundObjectRef: { ...bound('mine'), kind: 'Secret' } }, `${refused}node requested token not bound to a pod`],
    [{ boundObjectRef: bound('mine', '') }, `${refused}node requested token with a pod binding without a uid`],
    [
      { boundObjectRef: bound('mine', 'old') },
      `${refused}the UID in the bound object reference (old) does not match the UID in record. The object might have been deleted and then recreated`,
    ],
    [{ boundObjectRef: bound('theirs') }, `${refused}node requested token bound to a pod scheduled on a different node`],
    [{ boundObjectRef: bound('gone') }, 'pod "gone" not found'],
  ])('%j', async (spec, expected) => {
    expect(await verdict({ definition: serviceAccount, subresource: 'token', name: 'sa', object: { spec } })).toBe(expected);
  });
});

describe('mirror pods', () => {
  const owner = { apiVersion: 'v1', kind: 'Node', name: 'n1', uid: 'u1', controller: true };
  const create = (metadata: object, spec: object = {}): Promise<string | undefined> =>
    verdict({
      definition: pod,
      object: {
        metadata: { name: 'm', annotations: { 'kubernetes.io/config.mirror': 'x' }, ownerReferences: [owner], ...metadata },
        spec: { nodeName: 'n1', containers: [{ name: 'c' }], ...spec },
      },
    });
  const refused = 'pods "m" is forbidden: ';
  it.each([
    [{}, undefined],
    [{ annotations: {} }, 'pod does not have "kubernetes.io/config.mirror" annotation, node "n1" can only create mirror pods'],
    [{ ownerReferences: [] }, 'node "n1" can only create pods with an owner reference set to itself'],
    [{ ownerReferences: [owner, owner] }, 'node "n1" can only create pods with a single owner reference set to itself'],
    [{ ownerReferences: [{ ...owner, name: 'n2' }] }, 'node "n1" can only create pods with an owner reference set to itself'],
    [
      { ownerReferences: [{ ...owner, controller: false }] },
      'node "n1" can only create pods with a controller owner reference set to itself',
    ],
    [{ ownerReferences: [{ ...owner, blockOwnerDeletion: true }] }, 'node "n1" must not set blockOwnerDeletion on an owner reference'],
    [{ ownerReferences: [{ ...owner, uid: 'u0' }] }, 'node n1 UID mismatch: expected u0 got u1'],
  ])('with %j', async (metadata, expected) => {
    expect(await create(metadata)).toBe(expected === undefined ? undefined : `${refused}${expected}`);
  });
  it.each([
    [{ hostPath: { path: '/' } }, undefined],
    [{ downwardAPI: {} }, undefined],
    [{ projected: { sources: [{ downwardAPI: {} }] } }, undefined],
    [{ configMap: {} }, 'configmaps (via configmap volumes)'],
    [{ csi: { driver: 'd' } }, 'csidrivers (via CSI volumes)'],
    [{ persistentVolumeClaim: { claimName: 'c' } }, 'persistentvolumeclaims'],
    [{ ephemeral: {} }, 'persistentvolumeclaims (via ephemeral volumes)'],
    [{ glusterfs: { endpoints: 'e', path: 'p' } }, 'endpoints (via glusterFS volumes)'],
    [{ projected: { sources: [{ serviceAccountToken: { path: 'p' } }] } }, 'serviceaccounts (via projected volumes)'],
    [{ projected: { sources: [{ configMap: { name: 'c' } }] } }, 'configmaps'],
  ])('with a volume %j', async (volume, reference) => {
    expect(await create({}, { volumes: [{ name: 'v', ...volume }] })).toBe(
      reference === undefined ? undefined : `${refused}node "n1" can not create pods that reference ${reference}`,
    );
  });
});

describe('pods', () => {
  it.each([
    ['DELETE', '', 'mine', undefined],
    ['DELETE', '', 'theirs', 'pods "theirs" is forbidden: node "n1" can only delete pods with spec.nodeName set to itself'],
    ['DELETE', '', 'gone', 'pod "gone" not found'],
    ['CREATE', 'eviction', 'mine', undefined],
    ['CREATE', 'eviction', 'theirs', 'pods "theirs" is forbidden: node n1 can only evict pods with spec.nodeName set to itself'],
    [
      'CREATE',
      'binding',
      'mine',
      `pods "mine" is forbidden: unexpected pod subresource "binding", only 'status' and 'eviction' are allowed`,
    ],
    ['UPDATE', '', 'mine', 'pods "mine" is forbidden: unexpected operation "UPDATE", node "n1" can only create and delete mirror pods'],
  ] as const)('%s %s of %s', async (operation, subresource, name, expected) => {
    expect(await verdict({ definition: pod, operation, subresource, name, object: { metadata: { name } } })).toBe(expected);
  });
  it.each([
    [{}, undefined],
    [{ metadata: { labels: { a: 'b' } } }, 'node "n1" cannot update labels through pod status'],
    [{ status: { resourceClaimStatuses: [{ name: 'r', resourceClaimName: 'c' }] } }, 'node "n1" cannot update resource claim statues'],
    [
      { status: { extendedResourceClaimStatus: { resourceClaimName: 'c', requestMappings: [] } } },
      'node "n1" cannot update extended resource claim status',
    ],
    [{ old: { spec: { nodeName: 'n2' } } }, 'node "n1" can only update pod status for pods with spec.nodeName set to itself'],
  ])('status %j', async ({ old, ...change }: { old?: object; metadata?: object; status?: object }, expected) => {
    const before = { metadata: { name: 'mine' }, spec: { nodeName: 'n1' }, status: {}, ...old };
    const result = await verdict({
      definition: pod,
      operation: 'UPDATE',
      subresource: 'status',
      name: 'mine',
      oldObject: before,
      object: { ...before, ...change },
    });
    expect(result).toBe(expected === undefined ? undefined : `pods "mine" is forbidden: ${expected}`);
  });
});

describe('other objects', () => {
  // openssl req -new -subj "/O=system:nodes/CN=system:node:n2" with a P-256 key
  const requestOfN2 = `-----BEGIN CERTIFICATE REQUEST-----
MIHsMIGSAgEAMDAxFTATBgNVBAoMDHN5c3RlbTpub2RlczEXMBUGA1UEAwwOc3lz
dGVtOm5vZGU6bjIwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATlSPO3DB1GDNEd
p06RBghKxdcWDacOIbbI41xSgNlfIizIn97UJv0W/1ytd+eCKYCmhDHBxagQg5nK
jvjQzNw9oAAwCgYIKoZIzj0EAwIDSQAwRgIhAMyflcwpihir4w6a7dTafP4cDqWy
tbCgL+xCTdYwUoeTAiEAynPlIftNLtVM7SuDqU/EtLjikvgk3QbQJyS6yZHIR9c=
-----END CERTIFICATE REQUEST-----
`;
  const csr = (signerName: string, request: string): object => ({
    definition: certificateSigningRequest,
    object: { metadata: { name: 'r' }, spec: { signerName, request: Buffer.from(request).toString('base64') } },
  });
  it.each([
    [
      csr('kubernetes.io/kube-apiserver-client-kubelet', requestOfN2),
      'certificatesigningrequests.certificates.k8s.io "r" is forbidden: can only create a node CSR with CN=system:node:n1',
    ],
    [
      csr('kubernetes.io/kubelet-serving', 'x'),
      'certificatesigningrequests.certificates.k8s.io "r" is forbidden: unable to parse csr: PEM block type must be CERTIFICATE REQUEST',
    ],
    [csr('example.com/signer', requestOfN2), undefined],
    [
      { definition: lease, namespace: 'kube-node-lease', object: { metadata: { name: 'n2' } } },
      'leases.coordination.k8s.io "n2" is forbidden: can only access node lease with the same name as the requesting node',
    ],
    [{ definition: lease, namespace: 'kube-node-lease', object: { metadata: { name: 'n1' } } }, undefined],
    [
      { definition: resourceSlice, object: { metadata: { name: 's' }, spec: { nodeName: 'n2' } } },
      'resourceslices.resource.k8s.io "s" is forbidden: can only create ResourceSlice with the same NodeName as the requesting node',
    ],
    [
      { definition: persistentVolumeClaim, name: 'c', operation: 'UPDATE', object: {}, oldObject: {} },
      'persistentvolumeclaims "c" is forbidden: may only update PVC status',
    ],
    [{ definition: node, object: { metadata: { name: 'n2' } } }, 'nodes "n2" is forbidden: node "n1" is not allowed to modify node "n2"'],
  ])('case %#', async (r, expected) => {
    expect(await verdict(r as Asked)).toBe(expected);
  });
});

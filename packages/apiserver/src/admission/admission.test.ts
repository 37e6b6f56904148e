import { silentLogger, systemClock } from '@skiff/component-base';
import {
  namespace,
  node,
  pod,
  priorityClass,
  runtimeClass,
  secret,
  serviceAccount,
  type Namespace,
  type Node,
  type Pod,
  type PriorityClass,
  type RuntimeClass,
  type ServiceAccount,
} from '@skiff/api';
import type { JsonObject, KubeObject, ResourceDefinition } from '@skiff/apimachinery';
import { describe, expect, it } from 'vitest';
import { createAuthorization } from '../authz/authorization.ts';
import type { AdmissionRequest, UserInfo } from '../contract.ts';
import { FakeObjects } from '../object-access.fake.ts';
import { forbiddenLabels } from './node-objects.ts';
import { createAdmissionChain } from './plugin.ts';
import { admissionPlugins } from './plugins.ts';
import { createWebhookClient } from './webhook/client.ts';
import { mergeTolerations } from './runtime-class.ts';

function world(o: { sleep?: (delayMs: number) => Promise<void> } = {}) {
  const objects = new FakeObjects();
  objects.put<Namespace>(namespace, { metadata: { name: 'a' }, status: { phase: 'Active' } });
  objects.put<Namespace>(namespace, { metadata: { name: 'ending' }, status: { phase: 'Terminating' } });
  objects.put<ServiceAccount>(serviceAccount, { metadata: { name: 'default', namespace: 'a' }, imagePullSecrets: [{ name: 'pull' }] });
  objects.put<ServiceAccount>(serviceAccount, { metadata: { name: 'quiet', namespace: 'a' }, automountServiceAccountToken: false });
  const authorization = createAuthorization(
    { steps: [{ type: 'Node' }, { type: 'RBAC' }], file: undefined },
    { objects, clock: systemClock, log: silentLogger },
  );
  const plugins = admissionPlugins({
    objects,
    authorization,
    clock: Date,
    webhooks: {
      client: () => createWebhookClient({ send: () => Promise.reject(new Error('no webhooks here')) }),
      definitions: () => [],
      convert: () => Promise.reject(new Error('nothing is converted here')),
    },
    sleep: o.sleep ?? (() => Promise.resolve()),
  });
  const chain = createAdmissionChain(plugins);
  const admit = async (
    r: Partial<Omit<AdmissionRequest, 'object'>> & { definition: ResourceDefinition; object: unknown },
  ): Promise<JsonObject> => {
    const request: AdmissionRequest = {
      operation: 'CREATE',
      subresource: '',
      namespace: 'a',
      name: '',
      oldObject: null,
      options: {},
      dryRun: false,
      user: { name: 'bob', groups: [] },
      warnings: [],
      memo: new Map(),
      ...r,
      object: r.object as JsonObject,
    };
    const lifetime = new AbortController();
    await chain.mutate(request, lifetime);
    await chain.validate(request, lifetime);
    return request.object as JsonObject;
  };
  return { objects, plugins, admit };
}
const newPod = (spec: Partial<NonNullable<Pod['spec']>> = {}): Pod =>
  ({ metadata: { name: 'p', namespace: 'a' }, spec: { containers: [{ name: 'c' }], ...spec } }) as Pod;
const podDefinition = pod as unknown as ResourceDefinition;

describe('the table of plugins', () => {
  it('has unique names', () => {
    const names = world().plugins.map((p) => p.name);
    expect(new Set(names).size).toBe(names.length);
  });
});

describe('NamespaceLifecycle', () => {
  const { admit } = world();
  it('knows which namespaces take what', async () => {
    await expect(
      admit({ definition: secret as ResourceDefinition, namespace: 'none', object: { metadata: { name: 's' } } }),
    ).rejects.toThrow('namespaces "none" not found');
    await expect(
      admit({ definition: secret as ResourceDefinition, namespace: 'ending', object: { metadata: { name: 's' } } }),
    ).rejects.toThrow('secrets "s" is forbidden: unable to create new content in namespace ending because it is being terminated');
    await admit({
      definition: secret as ResourceDefinition,
      namespace: 'ending',
      operation: 'UPDATE',
      name: 's',
      object: { metadata: { name: 's' } },
    });
    await expect(
      admit({ definition: namespace as ResourceDefinition, operation: 'DELETE', name: 'default', object: null }),
    ).rejects.toThrow('namespaces "default" is forbidden: this namespace may not be deleted');
  });
});

describe('ServiceAccount', () => {
  it('gives pods an account, its pull secrets and a token', async () => {
    const { admit } = world();
    const admitted = (await admit({ definition: podDefinition, object: newPod() })) as unknown as Pod;
    expect(admitted.spec).toMatchObject({ serviceAccountName: 'default', serviceAccount: 'default', imagePullSecrets: [{ name: 'pull' }] });
    const [volume] = admitted.spec?.volumes ?? [];
    expect(volume?.name).toMatch(/^kube-api-access-[a-z0-9]{5}$/);
    expect(admitted.spec?.containers?.[0]?.volumeMounts).toEqual([
      { name: volume?.name, readOnly: true, mountPath: '/var/run/secrets/kubernetes.io/serviceaccount' },
    ]);
    expect(volume?.projected?.sources?.[0]).toEqual({ serviceAccountToken: { path: 'token', expirationSeconds: 3607 } });
  });
  it('mounts none where none is wanted', async () => {
    const { admit } = world();
    const byAccount = (await admit({ definition: podDefinition, object: newPod({ serviceAccountName: 'quiet' }) })) as unknown as Pod;
    expect(byAccount.spec?.volumes).toBeUndefined();
    const byPod = (await admit({ definition: podDefinition, object: newPod({ automountServiceAccountToken: false }) })) as unknown as Pod;
    expect(byPod.spec?.volumes).toBeUndefined();
  });
  it('waits a few seconds for the account of a new namespace', async () => {
    let waitedMs = 0;
    const { objects, admit } = world({
      sleep: async (delayMs) => {
        waitedMs += delayMs;
        if (waitedMs >= 4000) objects.put<ServiceAccount>(serviceAccount, { metadata: { name: 'default', namespace: 'new' } });
      },
    });
    objects.put<Namespace>(namespace, { metadata: { name: 'new' }, status: { phase: 'Active' } });
    expect(await admit({ definition: podDefinition, namespace: 'new', object: newPod() })).toMatchObject({
      spec: { serviceAccountName: 'default' },
    });
  });
  it('needs the account to exist', async () => {
    await expect(world().admit({ definition: podDefinition, object: newPod({ serviceAccountName: 'none' }) })).rejects.toThrow(
      'pods "p" is forbidden: error looking up service account a/none: serviceaccount "none" not found',
    );
  });
});

describe('Priority', () => {
  it('takes the number from the class', async () => {
    const { objects, admit } = world();
    objects.put<PriorityClass>(priorityClass, { metadata: { name: 'high' }, value: 5, preemptionPolicy: 'Never' });
    const admitted = (await admit({ definition: podDefinition, object: newPod({ priorityClassName: 'high' }) })) as unknown as Pod;
    expect(admitted.spec).toMatchObject({ priority: 5, preemptionPolicy: 'Never' });
    await expect(admit({ definition: podDefinition, object: newPod({ priorityClassName: 'none' }) })).rejects.toThrow(
      'no PriorityClass with name none was found',
    );
    await expect(admit({ definition: podDefinition, object: newPod({ priority: 7 }) })).rejects.toThrow(
      'the integer value of priority (7) must not be provided',
    );
    objects.put<PriorityClass>(priorityClass, { metadata: { name: 'usual' }, value: 3, globalDefault: true });
    expect(((await admit({ definition: podDefinition, object: newPod() })) as unknown as Pod).spec).toMatchObject({
      priority: 3,
      priorityClassName: 'usual',
    });
    await expect(
      admit({
        definition: priorityClass as ResourceDefinition,
        namespace: '',
        object: { metadata: { name: 'other' }, value: 1, globalDefault: true },
      }),
    ).rejects.toThrow('PriorityClass usual is already marked as default');
  });
});

describe('NodeRestriction', () => {
  const kubelet: UserInfo = { name: 'system:node:n1', groups: ['system:nodes', 'system:authenticated'] };
  const nodeDefinition = node as unknown as ResourceDefinition;
  const self = (labels: Record<string, string> = {}, more: Partial<Node> = {}): Node => ({ metadata: { name: 'n1', labels }, ...more });
  const update = (object: unknown, oldObject: KubeObject) => ({
    operation: 'UPDATE' as const,
    namespace: '',
    name: 'n1',
    object,
    oldObject: oldObject as never,
    user: kubelet,
  });

  it('lets a kubelet be itself only', async () => {
    const { admit } = world();
    await admit({ definition: nodeDefinition, namespace: '', object: self({ 'kubernetes.io/hostname': 'n1' }), user: kubelet });
    await expect(admit({ definition: nodeDefinition, namespace: '', object: { metadata: { name: 'n2' } }, user: kubelet })).rejects.toThrow(
      'node "n1" is not allowed to modify node "n2"',
    );
    await expect(
      admit({ definition: nodeDefinition, namespace: '', object: self({ 'node-restriction.kubernetes.io/x': 'y' }), user: kubelet }),
    ).rejects.toThrow('node "n1" is not allowed to set the following labels: node-restriction.kubernetes.io/x');
    await expect(
      admit({
        definition: nodeDefinition,
        ...update(self({}, { spec: { taints: [] } }), self({}, { spec: { taints: [{ key: 'a', effect: 'NoSchedule' }] } })),
      }),
    ).rejects.toThrow('node "n1" is not allowed to modify taints');
    // Other hosts make routes and rules of its ranges; they come from the controller alone.
    const range = (podCIDR: string): Partial<Node> => ({ spec: { podCIDR, podCIDRs: [podCIDR] } });
    await expect(admit({ definition: nodeDefinition, namespace: '', object: self({}, range('0.0.0.0/0')), user: kubelet })).rejects.toThrow(
      'node "n1" is not allowed to set spec.podCIDR',
    );
    await expect(
      admit({ definition: nodeDefinition, ...update(self({}, range('10.1.0.0/16')), self({}, range('10.1.1.0/24'))) }),
    ).rejects.toThrow('node "n1" is not allowed to set spec.podCIDR');
    await admit({ definition: nodeDefinition, ...update(self({}, range('10.1.1.0/24')), self({}, range('10.1.1.0/24'))) });
    await expect(admit({ definition: nodeDefinition, ...update(self({ 'kubernetes.io/role': 'x' }), self()) })).rejects.toThrow(
      'is not allowed to modify labels: kubernetes.io/role',
    );
  });

  it('keeps kubelets to their pods', async () => {
    const { objects, admit } = world();
    await expect(admit({ definition: podDefinition, object: newPod(), user: kubelet })).rejects.toThrow('can only create mirror pods');
    objects.put<Pod>(pod, { ...newPod({ nodeName: 'n2' }), metadata: { name: 'p', namespace: 'a', uid: 'u' } });
    await expect(admit({ definition: podDefinition, operation: 'DELETE', name: 'p', object: null, user: kubelet })).rejects.toThrow(
      'node "n1" can only delete pods with spec.nodeName set to itself',
    );
    const theirs = newPod({ nodeName: 'n2' });
    await expect(
      admit({
        definition: podDefinition,
        subresource: 'status',
        operation: 'UPDATE',
        name: 'p',
        object: theirs,
        oldObject: theirs as never,
        user: kubelet,
      }),
    ).rejects.toThrow('can only update pod status for pods with spec.nodeName set to itself');
    const token = (uid: string) => ({ spec: { audiences: [], boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: 'p', uid } } });
    const request = { definition: serviceAccount as ResourceDefinition, subresource: 'token', name: 'default', user: kubelet };
    await expect(admit({ ...request, object: { spec: { audiences: [] } } })).rejects.toThrow('node requested token not bound to a pod');
    await expect(admit({ ...request, object: token('x') })).rejects.toThrow('does not match the UID in record');
    await expect(admit({ ...request, object: token('u') })).rejects.toThrow(
      'node requested token bound to a pod scheduled on a different node',
    );
  });

  it('knows the kubelet’s labels', () => {
    expect(forbiddenLabels(['a', 'example.com/x', 'kubernetes.io/hostname', 'node.kubernetes.io/x', 'x.kubelet.kubernetes.io/y'])).toEqual(
      [],
    );
    expect(forbiddenLabels(['kubernetes.io/x', 'a.node-restriction.kubernetes.io/b', 'k8s.io/c'])).toEqual([
      'a.node-restriction.kubernetes.io/b',
      'k8s.io/c',
      'kubernetes.io/x',
    ]);
  });
});

describe('RuntimeClass', () => {
  const { admit, objects } = world();
  objects.put<RuntimeClass>(runtimeClass, {
    metadata: { name: 'kata' },
    handler: 'kata',
    overhead: { podFixed: { cpu: '10m' } },
    scheduling: { nodeSelector: { kata: 'yes' }, tolerations: [{ key: 'kata', operator: 'Exists' }] },
  });
  const create = (spec: Partial<NonNullable<Pod['spec']>>) => admit({ definition: podDefinition, object: newPod(spec) });

  it('gives a pod what its class has', async () => {
    const made = (await create({ runtimeClassName: 'kata', nodeSelector: { disk: 'ssd' } })) as unknown as Pod;
    expect(made.spec?.overhead).toEqual({ cpu: '10m' });
    expect(made.spec?.nodeSelector).toEqual({ disk: 'ssd', kata: 'yes' });
    expect(made.spec?.tolerations).toContainEqual({ key: 'kata', operator: 'Exists' });
  });
  it('takes an overhead that says the same in other words', async () => {
    const made = (await create({ runtimeClassName: 'kata', overhead: { cpu: '0.01' } })) as unknown as Pod;
    expect(made.spec?.overhead).toEqual({ cpu: '10m' });
  });
  it('refuses what contradicts it', async () => {
    await expect(create({ runtimeClassName: 'none' })).rejects.toThrow('pod rejected: RuntimeClass "none" not found');
    await expect(create({ runtimeClassName: 'kata', overhead: { cpu: '1' } })).rejects.toThrow(
      "doesn't match RuntimeClass's defined Overhead",
    );
    await expect(create({ overhead: { cpu: '1' } })).rejects.toThrow('without corresponding RuntimeClass defined Overhead');
    await expect(create({ runtimeClassName: 'kata', nodeSelector: { kata: 'no' } })).rejects.toThrow(
      'conflict: runtimeClass.scheduling.nodeSelector[kata] = yes; pod.spec.nodeSelector[kata] = no',
    );
  });
  it('keeps of tolerations those that no other covers', () => {
    const all = { operator: 'Exists' };
    const a = { key: 'a', operator: 'Equal', value: '1', effect: 'NoSchedule' };
    expect(mergeTolerations([a], [all])).toEqual([all]);
    expect(mergeTolerations([a], [{ ...a }, { ...a, value: '2' }])).toEqual([a, { ...a, value: '2' }]);
    const short = { key: 'a', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 10 };
    const long = { ...short, tolerationSeconds: 20 };
    expect(mergeTolerations([short], [long])).toEqual([long]);
  });
});

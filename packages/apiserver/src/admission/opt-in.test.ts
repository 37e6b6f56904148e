import { silentLogger, systemClock } from '@skiff/component-base';
import {
  ingress,
  ingressClass,
  namespace,
  node,
  persistentVolumeClaim,
  pod,
  service,
  storageClass,
  volumeAttributesClass,
  type IngressClass,
  type Namespace,
  type Node,
  type Pod,
  type StorageClass,
} from '@skiff/api';
import type { JsonObject, KubeObject, ResourceDefinition } from '@skiff/apimachinery';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createAuthorization } from '../authz/authorization.ts';
import type { AdmissionRequest } from '../contract.ts';
import { FakeObjects } from '../object-access.fake.ts';
import { admissionConfig, offByDefault, onByDefault } from './admission-config.ts';
import { createAdmissionChain } from './plugin.ts';
import { admissionPlugins } from './plugins.ts';
import { createWebhookClient } from './webhook/client.ts';

const builtins = { pod, ingress, namespace, persistentVolumeClaim, service, volumeAttributesClass } as unknown as Record<
  string,
  ResourceDefinition
>;

function configured(yaml: string, enable: string[] = []) {
  const directory = mkdtempSync(join(tmpdir(), 'admission-'));
  try {
    writeFileSync(join(directory, 'config.yaml'), yaml);
    return admissionConfig({ enable, disable: [], file: join(directory, 'config.yaml') });
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Only the named plugins, and what else they need. */
function world(enable: string[], config = admissionConfig({ enable, disable: [], file: undefined })) {
  const objects = new FakeObjects();
  objects.put<Namespace>(namespace, {
    metadata: { name: 'a', annotations: { 'scheduler.alpha.kubernetes.io/node-selector': 'disk=ssd' } },
  });
  const plugins = admissionPlugins({
    objects,
    authorization: createAuthorization({ steps: [{ type: 'RBAC' }], file: undefined }, { objects, clock: systemClock, log: silentLogger }),
    clock: { now: () => 0 },
    config: { ...config, isEnabled: (name) => enable.includes(name) },
    webhooks: {
      client: () => createWebhookClient({ send: () => Promise.reject(new Error('no webhooks here')) }),
      definitions: () => Object.values(builtins),
      convert: () => Promise.reject(new Error('nothing is converted here')),
    },
    sleep: () => Promise.resolve(),
  });
  const chain = createAdmissionChain(plugins);
  const admit = async (resource: string, object: unknown, more: Partial<AdmissionRequest> = {}): Promise<KubeObject> => {
    const request: AdmissionRequest = {
      operation: 'CREATE',
      definition: builtins[resource] as ResourceDefinition,
      subresource: '',
      namespace: 'a',
      name: '',
      oldObject: null,
      options: {},
      dryRun: false,
      user: { name: 'bob', groups: [] },
      warnings: [],
      memo: new Map(),
      ...more,
      object: structuredClone(object) as JsonObject,
    };
    const lifetime = new AbortController();
    await chain.mutate(request, lifetime);
    await chain.validate(request, lifetime);
    return request.object as KubeObject;
  };
  return { objects, admit };
}
const newPod = (spec: object = {}): JsonObject => ({ metadata: { name: 'p' }, spec: { containers: [{ name: 'c', image: 'i' }], ...spec } });

describe('which plugins run', () => {
  it('knows each plugin that there is', () => {
    const all = [...onByDefault, ...offByDefault];
    const { objects } = world([]);
    const names = admissionPlugins({
      objects,
      authorization: createAuthorization(
        { steps: [{ type: 'RBAC' }], file: undefined },
        { objects, clock: systemClock, log: silentLogger },
      ),
      clock: { now: () => 0 },
      config: { ...admissionConfig({ enable: [], disable: [], file: undefined }), isEnabled: () => true },
      webhooks: {
        client: () => createWebhookClient({ send: () => Promise.reject(new Error('none')) }),
        definitions: () => [],
        convert: () => Promise.reject(new Error('none')),
      },
      sleep: () => Promise.resolve(),
    }).map((p) => p.name);
    // The check against escalation is no plugin upstream, and can't be turned off.
    expect(names.filter((name) => !all.includes(name))).toEqual(['RBACEscalation', 'PolicyParamAccess']);
  });
  it('turns them on and off by name', () => {
    const config = admissionConfig({ enable: ['AlwaysPullImages'], disable: ['PodSecurity', 'JobValidation'], file: undefined });
    expect(['AlwaysPullImages', 'PodSecurity', 'LimitRanger', 'NamespaceExists'].map(config.isEnabled)).toEqual([true, false, true, false]);
    const bad =
      (enable: string[], disable: string[] = []) =>
      () =>
        admissionConfig({ enable, disable, file: undefined });
    expect(bad(['Nothing'])).toThrow('unknown admission plugin "Nothing"');
    expect(bad(['ImagePolicyWebhook'])).toThrow('use a validating webhook');
    expect(bad(['PodSecurity'], ['PodSecurity'])).toThrow('is in both');
    expect(bad(['EventRateLimit'])).toThrow('EventRateLimit needs limits');
  });
  it('reads the configuration file', () => {
    const plugin = (name: string, text: string): string =>
      `{kind: AdmissionConfiguration, plugins: [{name: ${name}, configuration: ${text}}]}`;
    const { podSecurity } = configured(
      plugin('PodSecurity', '{defaults: {enforce: baseline, enforce-version: v1.30}, exemptions: {usernames: [root]}}'),
    );
    expect(podSecurity).toMatchObject({
      defaults: { enforce: { level: 'baseline', minor: 30 }, warn: { level: 'privileged' } },
      exemptUsers: ['root'],
    });
    expect(() => configured(plugin('PodSecurity', '{defaults: {enforce: x}}'))).toThrow('must be one of privileged, baseline, restricted');
    expect(() => configured(plugin('EventRateLimit', '{limits: [{type: X}]}'))).toThrow('limits[0].type must be one of');
    expect(() => configured(plugin('LimitRanger', '{}'))).toThrow('LimitRanger takes no configuration here');
    expect(() => configured('[]')).toThrow('is not an object');
  });
});

describe('defaults of classes', () => {
  it('gives the newest default class to what names none', async () => {
    const { objects, admit } = world(['DefaultStorageClass', 'DefaultIngressClass', 'StorageObjectInUseProtection']);
    const put = (kind: 'storage' | 'ingress', name: string, creationTimestamp: string): void => {
      const metadata = { name, creationTimestamp, annotations: { [`${kind}class.kubernetes.io/is-default-class`]: 'true' } };
      if (kind === 'storage') objects.put<StorageClass>(storageClass, { metadata, provisioner: 'x' });
      else objects.put<IngressClass>(ingressClass, { metadata });
    };
    for (const kind of ['storage', 'ingress'] as const) {
      put(kind, 'old', '2026-01-01T00:00:00Z');
      put(kind, 'b', '2026-01-02T00:00:00Z');
      put(kind, 'a', '2026-01-02T00:00:00Z');
    }
    expect(await admit('persistentVolumeClaim', { metadata: {}, spec: {} })).toEqual({
      metadata: { finalizers: ['kubernetes.io/pvc-protection'] },
      spec: { storageClassName: 'a' },
    });
    expect(await admit('persistentVolumeClaim', { metadata: {}, spec: { storageClassName: '' } })).toMatchObject({
      spec: { storageClassName: '' },
    });
    expect(await admit('volumeAttributesClass', { metadata: {} })).toMatchObject({
      metadata: { finalizers: ['kubernetes.io/vac-protection'] },
    });
    expect(await admit('ingress', { metadata: {}, spec: {} })).toMatchObject({ spec: { ingressClassName: 'a' } });
    const annotated = { metadata: { annotations: { 'kubernetes.io/ingress.class': 'x' } }, spec: {} };
    expect(await admit('ingress', annotated)).toEqual(annotated);
  });
  it('lets claims grow only where they can', async () => {
    const { objects, admit } = world(['PersistentVolumeClaimResize']);
    objects.put<StorageClass>(storageClass, { metadata: { name: 'grows' }, provisioner: 'x', allowVolumeExpansion: true });
    objects.put<StorageClass>(storageClass, { metadata: { name: 'fixed' }, provisioner: 'x' });
    const claim = (storage: string, storageClassName: string, phase = 'Bound'): JsonObject => ({
      metadata: { name: 'c' },
      spec: { storageClassName, resources: { requests: { storage } } },
      status: { phase },
    });
    const grow = (storageClassName: string, phase?: string): Promise<KubeObject> =>
      admit('persistentVolumeClaim', claim('2Gi', storageClassName, phase), {
        operation: 'UPDATE',
        oldObject: claim('1024Mi', storageClassName, phase),
      });
    await grow('grows');
    await expect(grow('grows', 'Pending')).rejects.toThrow('"c" is forbidden: Only bound persistent volume claims can be expanded');
    await expect(grow('fixed')).rejects.toThrow('only dynamically provisioned pvc can be resized');
    await admit('persistentVolumeClaim', claim('1Gi', 'fixed'), { operation: 'UPDATE', oldObject: claim('1024Mi', 'fixed') });
  });
});

describe('pods and nodes', () => {
  it('copies zone and region with the node', async () => {
    const { objects, admit } = world(['PodTopologyLabels']);
    objects.put<Node>(node, { metadata: { name: 'n', labels: { 'topology.kubernetes.io/zone': 'z', other: 'x' } } });
    expect((await admit('pod', newPod({ nodeName: 'n' }))).metadata?.labels).toEqual({ 'topology.kubernetes.io/zone': 'z' });
    const binding = { metadata: { name: 'p' }, target: { kind: 'Node', name: 'n' } };
    expect((await admit('pod', binding, { subresource: 'binding' })).metadata?.labels).toEqual({ 'topology.kubernetes.io/zone': 'z' });
    expect((await admit('pod', newPod())).metadata?.labels).toBeUndefined();
  });
  it('resizes pods only to what their node has', async () => {
    const { objects, admit } = world(['PodResizeValidator']);
    objects.put<Node>(node, { metadata: { name: 'n' }, status: { allocatable: { cpu: '2', memory: '1Gi' } } });
    objects.put<Node>(node, { metadata: { name: 'w', labels: { 'kubernetes.io/os': 'windows' } } });
    const sized = (cpu: string, nodeName: string, generation: number): JsonObject => ({
      metadata: { name: 'p', generation },
      spec: { nodeName, containers: [{ name: 'c', resources: { requests: { cpu, memory: '1Mi' } } }] },
    });
    const resize = (cpu: string, nodeName = 'n'): Promise<KubeObject> =>
      admit('pod', sized(cpu, nodeName, 2), { operation: 'UPDATE', subresource: 'resize', oldObject: sized('1', nodeName, 1) });
    await resize('2');
    await expect(resize('3')).rejects.toThrow(
      `pods "p" is forbidden: node didn't have enough allocatable resources: cpu, requested: 3000, allocatable: 2000`,
    );
    await expect(resize('1500m', 'w')).rejects.toThrow('pod resize is only supported on linux nodes, node "w" is "windows"');
  });
});

describe('plugins that are off by default', () => {
  it('AlwaysPullImages', async () => {
    const { admit } = world(['AlwaysPullImages']);
    const made = (await admit('pod', newPod({ initContainers: [{ name: 'i', image: 'i', imagePullPolicy: 'Never' }] }))) as Pod;
    expect([...(made.spec?.initContainers ?? []), ...(made.spec?.containers ?? [])].map((x) => x.imagePullPolicy)).toEqual([
      'Always',
      'Always',
    ]);
    const untouched = (await admit('pod', newPod(), { operation: 'UPDATE', oldObject: newPod() })) as Pod;
    expect(untouched.spec?.containers[0]?.imagePullPolicy).toBeUndefined();
  });
  it('DenyServiceExternalIPs', async () => {
    const { admit } = world(['DenyServiceExternalIPs']);
    const of = (...externalIPs: string[]): JsonObject => ({ metadata: { name: 's' }, spec: { externalIPs } });
    await expect(admit('service', of('1.1.1.1'))).rejects.toThrow(
      'services "s" is forbidden: Use of external IPs is denied by admission control',
    );
    await admit('service', of('1.1.1.1'), { operation: 'UPDATE', oldObject: of('1.1.1.1', '2.2.2.2') });
  });
  it('NamespaceAutoProvision and NamespaceExists', async () => {
    const { objects, admit } = world(['NamespaceAutoProvision', 'NamespaceExists']);
    await admit('pod', newPod(), { namespace: 'new' });
    expect(objects.get<Namespace>(namespace, '', 'new')?.metadata?.name).toBe('new');
    await expect(admit('pod', newPod(), { namespace: 'other', dryRun: true })).rejects.toThrow('namespaces "other" not found');
  });
  it('OwnerReferencesPermissionEnforcement', async () => {
    const { admit } = world(['OwnerReferencesPermissionEnforcement']);
    const owned = (kind: string, blockOwnerDeletion: boolean): JsonObject => ({
      metadata: { name: 'p', ownerReferences: [{ apiVersion: 'v1', kind, name: 'o', uid: 'u', blockOwnerDeletion }] },
    });
    await admit('pod', owned('Pod', false));
    await expect(admit('pod', owned('Pod', true))).rejects.toThrow(
      "cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set",
    );
    await expect(admit('pod', owned('None', true))).rejects.toThrow('cannot find RESTMapping for APIVersion v1 Kind None');
    const update = { operation: 'UPDATE' as const, name: 'p', oldObject: { metadata: { name: 'p' } } };
    await expect(admit('pod', owned('Pod', false), update)).rejects.toThrow("cannot set an ownerRef on a resource you can't delete");
    await admit('pod', owned('None', true), { user: { name: 'admin', groups: ['system:masters'] } });
  });
  it('PodNodeSelector', async () => {
    const config = configured(
      '{kind: AdmissionConfiguration, plugins: [{name: PodNodeSelector, configuration: {podNodeSelectorPluginConfig: {a: "disk=ssd,zone=1"}}}]}',
    );
    const { admit } = world(['PodNodeSelector'], config);
    expect(await admit('pod', newPod({ nodeSelector: { zone: '1' } }))).toMatchObject({
      spec: { nodeSelector: { disk: 'ssd', zone: '1' } },
    });
    await expect(admit('pod', newPod({ nodeSelector: { disk: 'hdd' } }))).rejects.toThrow(
      'conflicts with its namespace node label selector',
    );
    await expect(admit('pod', newPod({ nodeSelector: { zone: '2' } }))).rejects.toThrow('conflict with its namespace whitelist');
  });
  it('PodTolerationRestriction and ExtendedResourceToleration', async () => {
    const { objects, admit } = world(['PodTolerationRestriction', 'ExtendedResourceToleration']);
    const annotations = {
      'scheduler.alpha.kubernetes.io/defaultTolerations': '[{"key":"a","operator":"Exists"}]',
      'scheduler.alpha.kubernetes.io/tolerationsWhitelist': '[{"key":"a","operator":"Exists"},{"key":"x.y/z","operator":"Exists"}]',
    };
    objects.put<Namespace>(namespace, { metadata: { name: 't', annotations } });
    const device = { containers: [{ name: 'c', resources: { requests: { 'x.y/z': '1' } } }] };
    const made = (await admit('pod', newPod(device), { namespace: 'a' })) as Pod;
    expect(made.spec?.tolerations?.map((t) => t.key)).toEqual(['x.y/z']);
    expect(((await admit('pod', newPod(), { namespace: 't' })) as Pod).spec?.tolerations).toEqual([{ key: 'a', operator: 'Exists' }]);
    await expect(admit('pod', newPod({ tolerations: [{ key: 'b', operator: 'Exists' }] }), { namespace: 't' })).rejects.toThrow(
      'namespace whitelist',
    );
  });
  it('LimitPodHardAntiAffinityTopology', async () => {
    const { admit } = world(['LimitPodHardAntiAffinityTopology']);
    const apart = (topologyKey: string): JsonObject =>
      newPod({ affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey }] } } });
    await admit('pod', apart('kubernetes.io/hostname'));
    await expect(admit('pod', apart('zone'))).rejects.toThrow('has TopologyKey zone but only key kubernetes.io/hostname is allowed');
  });
  it('EventRateLimit', async () => {
    const config = configured(
      '{kind: AdmissionConfiguration, plugins: [{name: EventRateLimit, configuration: {limits: [{type: User, qps: 1, burst: 2}]}}]}',
    );
    const { admit } = world(['EventRateLimit'], config);
    const definition = { ...builtins['pod'], kind: 'Event' } as ResourceDefinition;
    const send = (name: string): Promise<KubeObject> => admit('pod', {}, { definition, user: { name, groups: [] } });
    await send('bob');
    await send('bob');
    await expect(send('bob')).rejects.toThrow('limit reached on type User for key bob');
    await send('alice');
  });
});

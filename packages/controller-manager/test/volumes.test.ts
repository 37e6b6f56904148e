import {
  csiDriver,
  event,
  node,
  persistentVolume,
  persistentVolumeClaim,
  pod,
  storageClass,
  volumeAttachment,
  volumeAttributesClass,
  type PersistentVolume,
  type PersistentVolumeClaim,
} from '@skiff/api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestCluster, type TestCluster } from './support/cluster.ts';
import { until } from './support/until.ts';

type VolumeSpec = NonNullable<PersistentVolume['spec']>;
type ClaimSpec = NonNullable<PersistentVolumeClaim['spec']>;

describe('volumes and claims', () => {
  let cluster: TestCluster;
  let namespace: string;
  beforeAll(async () => {
    cluster = await startTestCluster();
    // A default class would be given to every claim.
    await until(cluster.client, storageClass, { holds: (all) => all.some((c) => c.metadata?.name === 'local-path') });
    await cluster.client.delete(storageClass, { name: 'local-path' });
    namespace = await cluster.namespace();
  });
  afterAll(async () => {
    await cluster[Symbol.asyncDispose]();
  });

  const makeVolume = (name: string, storage: string, spec: VolumeSpec = {}): Promise<PersistentVolume> =>
    cluster.client.create(persistentVolume, {
      metadata: { name },
      spec: {
        capacity: { storage },
        accessModes: ['ReadWriteOnce'],
        storageClassName: 'manual',
        ...(spec.csi === undefined ? { hostPath: { path: '/tmp/x' } } : {}),
        ...spec,
      },
    });
  const makeClaim = (name: string, storage: string, spec: ClaimSpec = {}): Promise<PersistentVolumeClaim> =>
    cluster.client.create(persistentVolumeClaim, {
      metadata: { namespace, name },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage } }, storageClassName: 'manual', ...spec },
    });
  const claimThat = async (name: string, holds: (c: PersistentVolumeClaim) => boolean): Promise<PersistentVolumeClaim> => {
    const all = await until(cluster.client, persistentVolumeClaim, {
      namespace,
      holds: (list) => list.some((c) => c.metadata?.name === name && holds(c)),
    });
    return all.find((c) => c.metadata?.name === name) ?? {};
  };
  const volumeThat = async (name: string, holds: (v: PersistentVolume) => boolean): Promise<PersistentVolume> => {
    const all = await until(cluster.client, persistentVolume, { holds: (list) => list.some((v) => v.metadata?.name === name && holds(v)) });
    return all.find((v) => v.metadata?.name === name) ?? {};
  };
  const eventOf = async (name: string, reason: string): Promise<string> => {
    const matches = (e: { involvedObject: { name?: string }; reason?: string }): boolean =>
      e.involvedObject.name === name && e.reason === reason;
    const all = await until(cluster.client, event, { holds: (list) => list.some(matches) });
    return all.find(matches)?.message ?? '';
  };
  const isBound = (o: { status?: { phase?: string } }): boolean => o.status?.phase === 'Bound';

  it('binds the smallest that is large enough, and says so on both sides; a released one is kept', async () => {
    await Promise.all([makeVolume('large', '9Gi'), makeVolume('right', '3Gi'), makeVolume('small', '1Gi')]);
    await volumeThat('right', (v) => v.status?.phase === 'Available');
    await makeClaim('data', '2Gi');
    const claim = await claimThat('data', isBound);
    expect(claim.spec?.volumeName).toBe('right');
    expect(claim.status).toMatchObject({ capacity: { storage: '3Gi' }, accessModes: ['ReadWriteOnce'] });
    expect(claim.metadata?.annotations).toEqual({
      'pv.kubernetes.io/bind-completed': 'yes',
      'pv.kubernetes.io/bound-by-controller': 'yes',
    });
    const volume = await volumeThat('right', isBound);
    expect(volume.spec?.claimRef).toMatchObject({ namespace, name: 'data', uid: claim.metadata?.uid });
    expect(volume.metadata?.annotations).toEqual({ 'pv.kubernetes.io/bound-by-controller': 'yes' });
    await cluster.client.delete(persistentVolumeClaim, { namespace, name: 'data' });
    const released = await volumeThat('right', (v) => v.status?.phase === 'Released');
    expect(released.spec?.claimRef?.name).toBe('data');
    // A new claim of the name is another claim.
    await makeClaim('data', '4Gi');
    expect((await claimThat('data', isBound)).spec?.volumeName).toBe('large');
  });

  it('keeps a volume for the claim that it was set aside for, and waits for a volume that a claim names', async () => {
    await makeVolume('reserved', '5Gi', { claimRef: { namespace, name: 'owner' } });
    await makeClaim('other', '5Gi');
    expect(await eventOf('other', 'ProvisioningFailed')).toBe('storageclass.storage.k8s.io "manual" not found');
    await makeClaim('owner', '1Gi');
    expect((await claimThat('owner', isBound)).spec?.volumeName).toBe('reserved');
    // Its creator chose: the binding is not the controller's to undo.
    expect((await volumeThat('reserved', isBound)).metadata?.annotations).toBeUndefined();

    await makeClaim('early', '1Gi', { volumeName: 'late' });
    await makeVolume('late', '2Gi');
    expect((await claimThat('early', isBound)).metadata?.annotations).toEqual({ 'pv.kubernetes.io/bind-completed': 'yes' });
    await makeClaim('thief', '1Gi', { volumeName: 'late' });
    expect(await eventOf('thief', 'FailedBinding')).toBe('volume "late" already bound to a different claim.');
    await makeVolume('tiny', '1Mi');
    await makeClaim('greedy', '1Gi', { volumeName: 'tiny' });
    expect(await eventOf('greedy', 'VolumeMismatch')).toBe('Cannot bind to requested volume "tiny": requested PV is too small');
  });

  it('tells a claim that its volume is gone', async () => {
    await makeVolume('fleeting', '1Gi', { storageClassName: 'gone' });
    await makeClaim('bereft', '1Gi', { storageClassName: 'gone' });
    await claimThat('bereft', isBound);
    await cluster.client.delete(persistentVolume, { name: 'fleeting' });
    await cluster.client.patch(persistentVolume, { name: 'fleeting' }, { type: 'merge', body: { metadata: { finalizers: null } } });
    const lost = await claimThat('bereft', (c) => c.status?.phase === 'Lost');
    expect(lost.status?.capacity).toBeUndefined();
    expect(await eventOf('bereft', 'ClaimLost')).toBe('Bound claim has lost its PersistentVolume. Data on the volume is lost!');
  });

  it.each([
    ['Delete', 'VolumeFailedDelete', 'error getting deleter volume plugin for volume "by-hand-delete": no deletable volume plugin matched'],
    ['Recycle', 'VolumeFailedRecycle', 'No recycler plugin found for the volume!'],
  ])('says that %s is not for volumes that were made by hand', async (policy, reason, message) => {
    const name = `by-hand-${policy.toLowerCase()}`;
    await makeVolume(name, '1Gi', { storageClassName: name, persistentVolumeReclaimPolicy: policy });
    await makeClaim(name, '1Gi', { storageClassName: name });
    await claimThat(name, isBound);
    await cluster.client.delete(persistentVolumeClaim, { namespace, name });
    expect((await volumeThat(name, (v) => v.status?.phase === 'Failed')).status?.message).toBe(message);
    expect(await eventOf(name, reason)).toBe(message);
  });

  it('asks the provisioner of the class, at once or when the pod has a node; a claim without class gets the default one later', async () => {
    const classOf = (name: string, mode: string, annotations: Record<string, string> = {}) =>
      cluster.client.create(storageClass, { metadata: { name, annotations }, provisioner: 'example.com/x', volumeBindingMode: mode });
    await classOf('at-once', 'Immediate');
    await classOf('later', 'WaitForFirstConsumer');
    await makeClaim('eager', '1Gi', { storageClassName: 'at-once' });
    const asked = await claimThat('eager', (c) => c.metadata?.annotations !== undefined);
    expect(asked.metadata?.annotations).toEqual({
      'volume.beta.kubernetes.io/storage-provisioner': 'example.com/x',
      'volume.kubernetes.io/storage-provisioner': 'example.com/x',
    });
    await makeClaim('lazy', '1Gi', { storageClassName: 'later' });
    expect(await eventOf('lazy', 'WaitForFirstConsumer')).toBe('waiting for first consumer to be created before binding');
    expect((await claimThat('lazy', () => true)).metadata?.annotations).toBeUndefined();
    await cluster.client.patch(
      persistentVolumeClaim,
      { namespace, name: 'lazy' },
      { type: 'merge', body: { metadata: { annotations: { 'volume.kubernetes.io/selected-node': 'node-1' } } } },
    );
    await claimThat('lazy', (c) => c.metadata?.annotations?.['volume.kubernetes.io/storage-provisioner'] === 'example.com/x');

    const unclassed: ClaimSpec = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '77Gi' } } };
    await cluster.client.create(persistentVolumeClaim, { metadata: { namespace, name: 'unclassed' }, spec: unclassed });
    expect(await eventOf('unclassed', 'FailedBinding')).toBe('no persistent volumes available for this claim and no storage class is set');
    await classOf('standard', 'Immediate', { 'storageclass.kubernetes.io/is-default-class': 'true' });
    expect((await claimThat('unclassed', (c) => c.spec?.storageClassName !== undefined)).spec?.storageClassName).toBe('standard');
  });

  it('attaches volumes of drivers to the nodes of their pods, one node at a time, and detaches what no pod has', async () => {
    const driver = 'attached.example.com';
    await cluster.client.create(csiDriver, { metadata: { name: driver }, spec: { attachRequired: true } });
    await makeVolume('disk', '1Gi', { csi: { driver, volumeHandle: 'h' }, storageClassName: 'attached' });
    await makeClaim('disk', '1Gi', { storageClassName: 'attached' });
    await claimThat('disk', isBound);
    const start = (name: string, nodeName: string) =>
      cluster.client.create(pod, {
        metadata: { namespace, name },
        spec: {
          nodeName,
          volumes: [{ name: 'd', persistentVolumeClaim: { claimName: 'disk' } }],
          containers: [{ name: 'c', image: 'x' }],
        },
      });
    await start('one', 'node-1');
    const [attachment] = await until(cluster.client, volumeAttachment, { holds: (all) => all.length === 1 });
    expect(attachment?.spec).toEqual({ attacher: driver, nodeName: 'node-1', source: { persistentVolumeName: 'disk' } });
    const name = attachment?.metadata?.name ?? '';
    expect(name).toMatch(/^csi-[0-9a-f]{64}$/);
    await cluster.client.patch(volumeAttachment, { name }, { type: 'merge', subresource: 'status', body: { status: { attached: true } } });
    expect(await eventOf('one', 'SuccessfulAttachVolume')).toBe('AttachVolume.Attach succeeded for volume "disk" ');
    const unique = `kubernetes.io/csi/${driver}^h`;
    await until(cluster.client, node, {
      holds: (all) => all.some((n) => n.metadata?.name === 'node-1' && n.status?.volumesAttached?.[0]?.name === unique),
    });
    await start('two', 'node-2');
    expect(await eventOf('two', 'FailedAttachVolume')).toBe('Multi-Attach error for volume "disk" Volume is already used by pod(s) one');

    // What the node still has mounted is not taken from it.
    const inUse = (list: string[] | null) =>
      cluster.client.patch(node, { name: 'node-1' }, { type: 'merge', subresource: 'status', body: { status: { volumesInUse: list } } });
    await inUse([unique]);
    await cluster.client.delete(pod, { namespace, name: 'one' }, { gracePeriodSeconds: 0 });
    await until(cluster.client, pod, { namespace, holds: (all) => all.every((p) => p.metadata?.name !== 'one') });
    expect((await cluster.client.list(volumeAttachment)).items.map((a) => a.spec?.nodeName)).toEqual(['node-1']);
    await inUse(null);
    // The other one's turn comes by itself.
    const [next] = await until(cluster.client, volumeAttachment, {
      holds: (all) => all.length === 1 && all[0]?.spec?.nodeName === 'node-2',
    });
    expect(next?.spec?.source.persistentVolumeName).toBe('disk');
    await cluster.client.delete(pod, { namespace, name: 'two' }, { gracePeriodSeconds: 0 });
    await until(cluster.client, volumeAttachment, { holds: (all) => all.length === 0 });
  });

  it('keeps a VolumeAttributesClass that a claim names', async () => {
    await cluster.client.create(volumeAttributesClass, {
      metadata: { name: 'gold' },
      driverName: 'example.com/x',
      parameters: { iops: '1' },
    });
    await makeClaim('golden', '1Gi', { volumeAttributesClassName: 'gold' });
    await until(cluster.client, volumeAttributesClass, { holds: (all) => all.some((c) => c.metadata?.finalizers?.length === 1) });
    await cluster.client.delete(volumeAttributesClass, { name: 'gold' });
    expect((await cluster.client.list(volumeAttributesClass)).items).toHaveLength(1);
    await cluster.client.delete(persistentVolumeClaim, { namespace, name: 'golden' });
    await until(cluster.client, volumeAttributesClass, { holds: (all) => all.length === 0 });
  });
});

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { csiNode, node, persistentVolume, persistentVolumeClaim, volumeAttachment } from '@skiff/api';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { connect, eventually, type RunningCluster } from './support/cluster.ts';
import { startCsiDriver } from './support/csi-driver.ts';
import { testImages } from './support/images.ts';

let cluster: RunningCluster;
const ns = 'story-volumes';
const kubelet = (): string => join(cluster.place.rootDir, 'kubelet');
beforeAll(async () => {
  cluster = connect(inject('place'));
  await cluster.kubectl(`create namespace ${ns}`);
});
afterAll(async () => {
  await cluster.tryKubectl(`delete namespace ${ns} --timeout=120s`);
  cluster.client.close();
});
const apply = (object: object): Promise<string> => cluster.kubectl(`apply -n ${ns} -f -`, { input: JSON.stringify(object) });
const claim = (name: string, storage: string, more: object = {}): object => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name },
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage } }, ...more },
});
const pod = (name: string, volume: object, more: { mount?: object; spec?: object } = {}): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: {
    terminationGracePeriodSeconds: 1,
    volumes: [{ name: 'data', ...volume }],
    containers: [
      {
        name: 'main',
        image: testImages.busybox,
        command: ['sh', '-c', 'sleep 3600'],
        volumeMounts: [{ name: 'data', mountPath: '/data', ...more.mount }],
      },
    ],
    ...more.spec,
  },
});
const ready = (name: string): Promise<string> => cluster.kubectl(`wait -n ${ns} pod/${name} --for=condition=Ready --timeout=120s`);
const exec = async (name: string, command: string): Promise<string> =>
  (await cluster.kubectl(`exec -n ${ns} ${name} -- ${command}`)).trim();
const readClaim = (name: string) => cluster.client.get(persistentVolumeClaim, { namespace: ns, name });
const gone = (what: string, path: string): Promise<unknown> => eventually(`${what} is gone`, async () => !existsSync(path));

describe('a claim', () => {
  it('just works: its data outlives the pod, belongs to the pod’s group, grows, and goes with the claim', async () => {
    await apply(claim('data', '1Gi'));
    const user = { securityContext: { runAsUser: 1000, runAsGroup: 1000, fsGroup: 2000 } };
    await apply(pod('writer', { persistentVolumeClaim: { claimName: 'data' } }, { spec: user }));
    await ready('writer');
    await exec('writer', "sh -c 'echo kept > /data/file; id -G'");
    expect(await exec('writer', 'stat -c %g /data/file')).toBe('2000');
    const { spec, status } = await readClaim('data');
    expect([spec?.storageClassName, status?.phase, status?.capacity?.['storage']]).toEqual(['local-path', 'Bound', '1Gi']);
    const volume = await cluster.client.get(persistentVolume, { name: spec?.volumeName ?? '' });
    const path = volume.spec?.local?.path ?? '';
    expect(path.startsWith(`${kubelet()}/local-volumes/`)).toBe(true);

    // In use: neither the claim nor its directory goes.
    await cluster.kubectl(`delete -n ${ns} pod/writer --wait=true`);
    await apply(pod('reader', { persistentVolumeClaim: { claimName: 'data', readOnly: true } }));
    await ready('reader');
    expect(await exec('reader', 'cat /data/file')).toBe('kept');
    const refused = await cluster.tryKubectl(`exec -n ${ns} reader -- touch /data/new`);
    expect(refused.stderr).toContain('Read-only file system');
    await cluster.kubectl(`delete -n ${ns} pvc/data --wait=false`);
    expect((await readClaim('data')).metadata?.finalizers).toEqual(['kubernetes.io/pvc-protection']);

    await cluster.kubectl(`delete -n ${ns} pod/reader --wait=true`);
    await gone('the directory', path);
    await eventually('the volume is gone', async () => !(await cluster.kubectl('get pv -o name')).includes(spec?.volumeName ?? ''));
  });

  it('grows, and is told when there is no room', async () => {
    await apply(claim('growing', '10Mi'));
    await apply(pod('grower', { persistentVolumeClaim: { claimName: 'growing' } }));
    await ready('grower');
    await apply(claim('growing', '20Mi'));
    await eventually('it has grown', async () => (await readClaim('growing')).status?.capacity?.['storage'] === '20Mi');
    await apply(claim('growing', '1Pi'));
    await eventually('no room', async () => {
      const events = await cluster.kubectl(`get events -n ${ns} --field-selector=involvedObject.name=growing,reason=VolumeResizeFailed`);
      return events.includes('has no room for it');
    });
    expect((await readClaim('growing')).status?.capacity?.['storage']).toBe('20Mi');
    await cluster.kubectl(`delete -n ${ns} pod/grower pvc/growing --wait=true`);
  });

  it('of an ephemeral volume has the pod’s life', async () => {
    const template = { spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '5Mi' } } } };
    await apply(pod('short', { ephemeral: { volumeClaimTemplate: template } }, { mount: { subPath: 'inner' } }));
    await ready('short');
    const name = (await readClaim('short-data')).spec?.volumeName ?? '';
    const path = join(kubelet(), 'local-volumes', name);
    expect(readdirSync(path)).toEqual(['inner']);
    await cluster.kubectl(`delete -n ${ns} pod/short --wait=true`);
    await gone('its directory', path);
  });

  it('of a StatefulSet stays or goes as its retention policy says', async () => {
    const set = {
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: { name: 'db' },
      spec: {
        serviceName: 'db',
        replicas: 2,
        podManagementPolicy: 'Parallel',
        selector: { matchLabels: { app: 'db' } },
        persistentVolumeClaimRetentionPolicy: { whenScaled: 'Delete', whenDeleted: 'Retain' },
        template: {
          metadata: { labels: { app: 'db' } },
          spec: {
            terminationGracePeriodSeconds: 1,
            containers: [
              {
                name: 'main',
                image: testImages.busybox,
                command: ['sh', '-c', 'hostname >> /data/names; sleep 3600'],
                volumeMounts: [{ name: 'data', mountPath: '/data' }],
              },
            ],
          },
        },
        volumeClaimTemplates: [
          { metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } } },
        ],
      },
    };
    await apply(set);
    await cluster.kubectl(`rollout status -n ${ns} sts/db --timeout=120s`);
    await cluster.kubectl(`delete -n ${ns} pod/db-0`);
    await cluster.kubectl(`rollout status -n ${ns} sts/db --timeout=120s`);
    // The rollout may still be told as done from before the deletion was seen, and the new container writes when it runs.
    await eventually('the new db-0 has its volume again', async () => (await exec('db-0', 'cat /data/names')) === 'db-0\ndb-0');
    await cluster.kubectl(`scale -n ${ns} sts/db --replicas=1`);
    await eventually('the claim of db-1 is gone', async () => !(await cluster.kubectl(`get pvc -n ${ns} -o name`)).includes('data-db-1'));
    await cluster.kubectl(`delete -n ${ns} sts/db --wait=true`);
    expect(await cluster.kubectl(`get pvc -n ${ns} -o name`)).toContain('data-db-0');
    await cluster.kubectl(`delete -n ${ns} pvc/data-db-0 --timeout=120s`);
  });
});

describe('a CSI driver', () => {
  it('registers, has volumes attached, staged and published, grows them, and is told to let go', async () => {
    const name = 'story.csi.skiff.test';
    await using driver = await startCsiDriver({ name, kubeletDirectory: kubelet(), maxVolumes: 3, zone: 'here' });
    const [{ metadata: machine }] = (await cluster.client.list(node)).items as [{ metadata: { name: string } }];
    const { spec: known } = await cluster.client.get(csiNode, { name: machine.name });
    expect((known?.drivers ?? []).find((d) => d.name === name)).toEqual({
      name,
      nodeID: 'the-node',
      topologyKeys: [`topology.${name}/zone`],
      allocatable: { count: 3 },
    });
    await apply({
      apiVersion: 'storage.k8s.io/v1',
      kind: 'CSIDriver',
      metadata: { name },
      spec: { podInfoOnMount: true, fsGroupPolicy: 'File' },
    });
    await apply({
      apiVersion: 'storage.k8s.io/v1',
      kind: 'StorageClass',
      metadata: { name },
      provisioner: name,
      allowVolumeExpansion: true,
    });
    await apply(claim('disk', '1Gi', { storageClassName: name }));
    await eventually(
      'the provisioner is asked',
      async () => (await readClaim('disk')).metadata?.annotations?.['volume.kubernetes.io/storage-provisioner'] === name,
    );
    // What external-provisioner does.
    const { metadata: disk } = await readClaim('disk');
    const volumeName = `pvc-${disk?.uid ?? ''}`;
    await cluster.client.create(persistentVolume, {
      metadata: { name: volumeName, annotations: { 'pv.kubernetes.io/provisioned-by': name } },
      spec: {
        capacity: { storage: '1Gi' },
        accessModes: ['ReadWriteOnce'],
        persistentVolumeReclaimPolicy: 'Delete',
        storageClassName: name,
        csi: { driver: name, volumeHandle: 'handle-1', volumeAttributes: { colour: 'blue' } },
        claimRef: { kind: 'PersistentVolumeClaim', apiVersion: 'v1', namespace: ns, name: 'disk', uid: disk?.uid ?? '' },
      },
    });
    await apply(pod('user', { persistentVolumeClaim: { claimName: 'disk' } }, { spec: { securityContext: { fsGroup: 3000 } } }));
    // What external-attacher does.
    const attachment = await eventually('it is to be attached', async () =>
      (await cluster.client.list(volumeAttachment)).items.find((a) => a.spec?.source.persistentVolumeName === volumeName),
    );
    expect(attachment.spec).toEqual({ attacher: name, nodeName: machine.name, source: { persistentVolumeName: volumeName } });
    const attachmentName = attachment.metadata?.name ?? '';
    await cluster.client.patch(
      volumeAttachment,
      { name: attachmentName },
      { type: 'merge', subresource: 'status', body: { status: { attached: true, attachmentMetadata: { device: 'x' } } } },
    );
    await ready('user');
    expect(driver.calls.filter((c) => c.startsWith('NodeStage') || c.startsWith('NodePublish'))).toEqual([
      'NodeStageVolume handle-1',
      'NodePublishVolume handle-1',
    ]);
    expect(driver.last('NodeStageVolume')).toMatchObject({ publishContext: { device: 'x' }, volumeContext: { colour: 'blue' } });
    expect(driver.last('NodePublishVolume')['volumeContext']).toMatchObject({
      colour: 'blue',
      'csi.storage.k8s.io/pod.name': 'user',
      'csi.storage.k8s.io/ephemeral': 'false',
    });
    await exec('user', "sh -c 'echo hello > /data/file'");
    expect(readFileSync(join(driver.volumes, 'handle-1/file'), 'utf8')).toBe('hello\n');
    expect(await exec('user', 'stat -c %g /data')).toBe('3000');
    const unique = `kubernetes.io/csi/${name}^handle-1`;
    await eventually('the node tells of it', async () => {
      const { status } = await cluster.client.get(node, { name: machine.name });
      return status?.volumesInUse?.includes(unique) === true && status.volumesAttached?.some((v) => v.name === unique);
    });

    // The claim grows: external-resizer has made the volume larger, the file system is the node's part.
    await apply(claim('disk', '2Gi', { storageClassName: name }));
    await eventually('the resizer is waited for', async () =>
      (await cluster.kubectl(`get events -n ${ns} --field-selector=involvedObject.name=disk`)).includes(
        'waiting for an external controller to expand',
      ),
    );
    await cluster.client.patch(persistentVolume, { name: volumeName }, { type: 'merge', body: { spec: { capacity: { storage: '2Gi' } } } });
    // A second pod shares what is staged.
    await apply(pod('second', { persistentVolumeClaim: { claimName: 'disk' } }));
    await ready('second');
    await eventually('it has grown', async () => (await readClaim('disk')).status?.capacity?.['storage'] === '2Gi');
    expect(driver.sizeOf('handle-1')).toBe(2 * 1024 ** 3);
    // Figures of disks are read once a minute.
    await eventually('it is told how full it is', async () =>
      (await cluster.kubectl(`get --raw /api/v1/nodes/${machine.name}/proxy/metrics`)).includes(
        `kubelet_volume_stats_used_bytes{namespace="${ns}",persistentvolumeclaim="disk"} 30\n`,
      ),
    );
    expect(driver.calls.filter((c) => c.startsWith('NodeStage'))).toHaveLength(1);

    // Inline volumes are not this driver's.
    await apply(pod('inline', { csi: { driver: name } }));
    await eventually('it is refused', async () =>
      (await cluster.kubectl(`get events -n ${ns} --field-selector=involvedObject.name=inline`)).includes(
        'volume mode "Ephemeral" not supported',
      ),
    );
    await cluster.kubectl(`delete -n ${ns} pod/inline --wait=true`);

    // The kubelet is killed; who comes after it finds everything again, also when the driver refuses at first.
    process.kill(cluster.pids()['kubelet'] ?? 0, 'SIGKILL');
    driver.fail('NodeUnpublishVolume', 'not now');
    await cluster.kubectl(`delete -n ${ns} pod/user pod/second --wait=false`);
    await eventually('it was asked', async () => driver.calls.some((c) => c.startsWith('NodeUnpublish')));
    driver.fail('NodeUnpublishVolume', undefined);
    await cluster.kubectl(`wait -n ${ns} pod/user pod/second --for=delete --timeout=120s`);
    await eventually('it is unstaged', async () => driver.calls.includes('NodeUnstageVolume handle-1'));
    await eventually('it is detached', async () => !(await cluster.kubectl('get volumeattachment -o name')).includes(attachmentName));
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8');
    expect(mounts.split('\n').filter((l) => l.includes('handle-1') || l.includes(volumeName))).toEqual([]);
    expect(readdirSync(join(kubelet(), 'plugins/kubernetes.io/csi', name))).toEqual([]);
    expect(readFileSync(join(driver.volumes, 'handle-1/file'), 'utf8')).toBe('hello\n');

    // The provisioner's part again.
    await cluster.kubectl(`delete -n ${ns} pvc/disk --wait=true`);
    await eventually(
      'it is released',
      async () => (await cluster.client.get(persistentVolume, { name: volumeName })).status?.phase === 'Released',
    );
    await cluster.kubectl(`delete pv/${volumeName} sc/${name} csidriver/${name} --wait=true`);
  });
});

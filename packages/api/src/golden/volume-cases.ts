import type { JsonObject } from '@skiff/apimachinery';
import { type GoldenCase, one } from './case.ts';

const volume = one('persistentVolume');
const claim = one('persistentVolumeClaim');

const base: JsonObject = { accessModes: ['ReadWriteOnce'], capacity: { storage: '1Gi' } };
const pv = (spec: JsonObject = {}, more: JsonObject = {}): JsonObject => ({
  ...more,
  spec: { ...base, hostPath: { path: '/a' }, ...spec },
});
const source = (spec: JsonObject): JsonObject => ({ spec: { ...base, ...spec } });
const pvc = (spec: JsonObject = {}, more: JsonObject = {}): JsonObject => ({
  ...more,
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...spec },
});
const on = (key: string): JsonObject => ({ required: { nodeSelectorTerms: [{ matchExpressions: [{ key, operator: 'Exists' }] }] } });
const annotated = (key: string): JsonObject => ({ metadata: { annotations: { [key]: 'x' } } });
const secret = { secretRef: { name: '', namespace: '' } };

export const volumeCases: readonly GoldenCase[] = [
  volume('plain', pv()),
  volume('nothing', { spec: {} }),
  volume('modes', pv({ accessModes: ['ReadWriteOncePod', 'ReadOnlyMany', 'Sometimes'] })),
  volume('capacity', pv({ capacity: { storage: '-1' } })),
  volume('capacity of other things', pv({ capacity: { cpu: '1' } })),
  volume('policy', pv({ persistentVolumeReclaimPolicy: 'Burn', volumeMode: 'Tape', storageClassName: 'A_' })),
  volume('recycled root', pv({ hostPath: { path: '//./' }, persistentVolumeReclaimPolicy: 'Recycle' })),
  volume('mount options', pv({}, annotated('volume.beta.kubernetes.io/mount-options'))),
  volume('mount options of NFS', {
    ...annotated('volume.beta.kubernetes.io/mount-options'),
    ...source({ nfs: { server: 'a', path: '/b' } }),
  }),
  volume('class annotation', pv({}, annotated('volume.beta.kubernetes.io/storage-class'))),
  volume('two sources', pv({ nfs: { server: 'a', path: '/b' }, cephfs: { monitors: [] } })),
  volume('hostPath', pv({ hostPath: { path: '/a/../b', type: 'X' } })),
  volume('local', source({ local: { path: '/a' } })),
  volume('local on a node', source({ local: { path: '..' }, nodeAffinity: on('beta.kubernetes.io/os') })),
  volume('no affinity', pv({ nodeAffinity: {} })),
  volume('bad affinity', pv({ nodeAffinity: { required: { nodeSelectorTerms: [] } } })),
  volume(
    'csi',
    source({
      csi: {
        driver: 'A_b',
        volumeHandle: '',
        controllerPublishSecretRef: { name: 'A', namespace: '' },
        nodeExpandSecretRef: { name: '', namespace: 'B' },
      },
    }),
  ),
  volume('attributes', pv({ volumeAttributesClassName: '' })),
  volume('attributes of csi', source({ csi: { driver: 'a.b', volumeHandle: 'c' }, volumeAttributesClassName: 'A_' })),
  volume('nfs', source({ nfs: { server: '', path: 'a' } })),
  volume('gce', source({ gcePersistentDisk: { pdName: '', partition: 300 } })),
  volume('aws', source({ awsElasticBlockStore: { volumeID: '', partition: -1 } })),
  volume('glusterfs', source({ glusterfs: { endpoints: '', path: '', endpointsNamespace: '' } })),
  volume('glusterfs elsewhere', source({ glusterfs: { endpoints: 'a', path: 'b', endpointsNamespace: 'A.b' } })),
  volume('rbd', source({ rbd: { monitors: [], image: '' } })),
  volume('cephfs', source({ cephfs: { monitors: [] } })),
  volume('cinder', source({ cinder: { volumeID: '', ...secret } })),
  volume('fc', source({ fc: {} })),
  volume('flex', source({ flexVolume: { driver: '', options: { 'kubernetes.io/x': 'y' } } })),
  volume('azureFile', source({ azureFile: { secretName: '', shareName: '', secretNamespace: '' } })),
  volume('scaleIO', source({ scaleIO: { gateway: '', system: '', volumeName: '', secretRef: {} } })),
  volume('iscsi', source({ iscsi: { targetPortal: '', iqn: 'x', lun: 300, chapAuthSession: true } })),
  volume('quobyte', source({ quobyte: { registry: 'a', volume: '' } })),
  volume('flocker', source({ flocker: {} })),
  volume('photon', source({ photonPersistentDisk: { pdID: '' } })),
  volume('portworx', source({ portworxVolume: { volumeID: '' } })),
  volume('vsphere', source({ vsphereVolume: { volumePath: '' } })),
  volume('storageos', source({ storageos: { volumeName: 'A_', volumeNamespace: 'B_', secretRef: {} } })),
  volume('other source', pv(), { change: { spec: { hostPath: { path: '/b' }, volumeMode: 'Block' } } }),
  volume('expand secret', source({ csi: { driver: 'a.b', volumeHandle: 'c' } }), {
    change: { spec: { csi: { controllerExpandSecretRef: { name: 'a', namespace: 'b' } } } },
  }),
  volume('other affinity', pv({ nodeAffinity: on('a') }), { change: { spec: { nodeAffinity: on('b') } } }),
  volume('newer label', pv({ nodeAffinity: on('beta.kubernetes.io/os') }), { change: { spec: { nodeAffinity: on('kubernetes.io/os') } } }),
  volume('larger', pv(), { change: { spec: { capacity: { storage: '2Gi' }, mountOptions: ['a'] }, status: { phase: 'Bound' } } }),
  volume('status', pv(), { change: { spec: { capacity: { storage: '2Gi' } }, status: { phase: 'Bound' } }, subresource: 'status' }),

  claim('plain', pvc()),
  claim('nothing', { spec: {} }),
  claim(
    'fields',
    pvc({
      accessModes: ['ReadWriteOncePod', 'ReadOnlyMany', 'Sometimes'],
      selector: { matchLabels: { 'a b': 'c' } },
      resources: { requests: { storage: '0' } },
      storageClassName: 'A_',
      volumeMode: 'Tape',
      volumeAttributesClassName: 'A_',
    }),
  ),
  claim('fraction', pvc({ resources: { requests: { storage: '1.5' }, limits: { storage: '2.5' } } })),
  claim('source', pvc({ dataSource: { kind: 'PersistentVolumeClaim', name: 'a' } })),
  claim('source of old', pvc({ dataSource: { kind: 'Other', name: 'a' } })),
  claim('source reference', pvc({ dataSourceRef: { kind: 'Other', name: '', apiGroup: 'A_' } })),
  claim('source elsewhere', pvc({ dataSourceRef: { kind: 'PersistentVolumeClaim', name: 'a', namespace: 'b' } })),
  claim(
    'sources',
    pvc({ dataSource: { kind: 'PersistentVolumeClaim', name: 'a' }, dataSourceRef: { kind: 'PersistentVolumeClaim', name: 'b' } }),
  ),
  claim('class annotation', pvc({}, annotated('volume.beta.kubernetes.io/storage-class'))),
  claim('bound', pvc(), { change: { spec: { volumeName: 'v' } } }),
  claim('larger', pvc(), { change: { spec: { resources: { requests: { storage: '2Gi' } } } } }),
  claim('smaller', pvc(), { change: { spec: { resources: { requests: { storage: '1Mi' } } } } }),
  claim('zero', pvc(), { change: { spec: { resources: { requests: { storage: '0' } } } } }),
  claim('other mode', pvc(), {
    change: { spec: { accessModes: ['ReadOnlyMany'], volumeMode: 'Block', storageClassName: 'x', volumeName: 'v' } },
  }),
  claim('class at last', pvc(), { change: { spec: { storageClassName: 'x' } } }),
  claim('class from annotation', pvc({}, annotated('volume.beta.kubernetes.io/storage-class')), {
    change: { spec: { storageClassName: 'x' } },
  }),
  claim('other class annotation', pvc({}, annotated('volume.beta.kubernetes.io/storage-class')), {
    change: { metadata: { annotations: { 'volume.beta.kubernetes.io/storage-class': 'y' } } },
  }),
  claim('status', pvc(), {
    change: {
      spec: { volumeName: 'x' },
      status: {
        phase: 'Bound',
        capacity: { storage: '-1' },
        allocatedResources: { storage: '-2', cpu: '1' },
        allocatedResourceStatuses: { 'a b': 'NodeResizePending', storage: 'Perhaps' },
      },
    },
    subresource: 'status',
  }),
];

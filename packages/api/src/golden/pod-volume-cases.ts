import type { JsonObject } from '@skiff/apimachinery';
import type { GoldenCase } from './case.ts';
import { podCase } from './pod-default-cases.ts';

export const withContainer = (name: string, container: JsonObject, spec: JsonObject = {}): GoldenCase =>
  podCase(name, { containers: [{ name: 'c', image: 'x', ...container }], ...spec });
const withVolume = (name: string, volume: JsonObject, spec: JsonObject = {}): GoldenCase =>
  podCase(name, { volumes: [{ name: 'v', ...volume }], ...spec });

export const podVolumeCases: readonly GoldenCase[] = [
  withVolume('two sources', { emptyDir: {}, hostPath: { path: '/x' }, cephfs: { monitors: ['a'] }, downwardAPI: {} }),
  podCase('volume names', {
    volumes: [{ name: 'A', emptyDir: {} }, { name: 'v', emptyDir: {} }, { name: 'v', emptyDir: {} }, { name: '' }],
  }),
  withVolume('emptyDir', { emptyDir: { sizeLimit: '-1' } }),
  withVolume('hostPath', { hostPath: { path: '/a/../b', type: 'Disk' } }),
  withVolume('hostPath without path', { hostPath: { path: '' } }),
  withVolume('gitRepo', { gitRepo: { repository: '', directory: '/a/..' } }),
  withVolume('gcePersistentDisk', { gcePersistentDisk: { pdName: '', partition: 256 } }),
  withVolume('awsElasticBlockStore', { awsElasticBlockStore: { volumeID: '', partition: -1 } }),
  withVolume('secret', { secret: { defaultMode: 512, items: [{ key: '', path: '../x', mode: 1000 }] } }),
  withVolume('configMap', { configMap: { items: [{ key: 'a', path: '' }] } }),
  withVolume('nfs', { nfs: { server: '', path: 'x' } }),
  withVolume('iscsi', { iscsi: { targetPortal: '', iqn: 'x', lun: 300, chapAuthSession: true, initiatorName: 'iqn.bad' } }),
  withVolume('glusterfs', { glusterfs: { endpoints: '', path: '' } }),
  withVolume('flocker', { flocker: { datasetName: 'a/b', datasetUUID: 'u' } }),
  withVolume('persistentVolumeClaim', { persistentVolumeClaim: { claimName: '' } }),
  withVolume('rbd', { rbd: { monitors: [], image: '' } }),
  withVolume('cinder', { cinder: { volumeID: '', secretRef: {} } }),
  withVolume('cephfs', { cephfs: { monitors: [] } }),
  withVolume('quobyte', { quobyte: { registry: 'a', volume: '' } }),
  withVolume('downwardAPI', {
    downwardAPI: {
      defaultMode: -1,
      items: [
        { path: '..a', fieldRef: { fieldPath: 'spec.nodeName' } },
        { path: 'b', fieldRef: { fieldPath: 'spec.foo' } },
        { path: 'c' },
        { path: 'd', resourceFieldRef: { resource: 'limits.cpu' } },
        { path: 'e', resourceFieldRef: { containerName: 'c', resource: 'limits.foo', divisor: '2' } },
        { path: 'f', resourceFieldRef: { containerName: 'c', resource: 'limits.cpu', divisor: '2' } },
        { path: 'g', fieldRef: { fieldPath: "metadata.labels['a b']" } },
        { path: 'h', fieldRef: { fieldPath: "status.phase['a']" } },
        { path: 'i', fieldRef: { apiVersion: 'v2', fieldPath: 'metadata.name' } },
      ],
    },
  }),
  withVolume('fc', { fc: { targetWWNs: ['a'], wwids: ['b'], lun: 256 } }),
  withVolume('fc without anything', { fc: {} }),
  withVolume('flexVolume', { flexVolume: { driver: '', options: { 'a.kubernetes.io/x': 'y' } } }),
  withVolume('azureFile', { azureFile: { secretName: '', shareName: '' } }),
  withVolume('vsphereVolume', { vsphereVolume: { volumePath: '' } }),
  withVolume('photonPersistentDisk', { photonPersistentDisk: { pdID: '' } }),
  withVolume('portworxVolume', { portworxVolume: { volumeID: '' } }),
  withVolume('azureDisk', { azureDisk: { diskName: '', diskURI: 'x', cachingMode: 'Foo', kind: 'Bar' } }),
  withVolume('azureDisk managed', { azureDisk: { diskName: 'a', diskURI: 'x', kind: 'Managed' } }),
  withVolume('storageos', { storageos: { volumeName: 'A', volumeNamespace: 'B', secretRef: {} } }),
  withVolume(
    'projected',
    {
      projected: {
        defaultMode: 1000,
        sources: [
          { secret: { items: [{ key: 'a', path: 'p' }] } },
          { configMap: { name: 'c', items: [{ key: 'a', path: 'p' }] } },
          { serviceAccountToken: { path: '', expirationSeconds: 1 } },
          { serviceAccountToken: { path: '..t', expirationSeconds: 5000000000 } },
          { downwardAPI: { items: [{ path: 'p', fieldRef: { fieldPath: 'metadata.name' } }] }, secret: { name: 's' } },
        ],
      },
    },
    { serviceAccountName: 'default' },
  ),
  withVolume('scaleIO', { scaleIO: { gateway: '', system: '', secretRef: {}, volumeName: '' } }),
  withVolume('csi', { csi: { driver: 'a/b', nodePublishSecretRef: { name: 'A' } } }),
  withVolume('ephemeral', {
    ephemeral: {
      volumeClaimTemplate: {
        metadata: { name: 'x', labels: { a: 'b c' } },
        spec: {
          accessModes: ['Foo', 'ReadWriteOncePod', 'ReadOnlyMany'],
          volumeMode: 'Foo',
          storageClassName: 'A',
          dataSource: { kind: 'Foo', name: '' },
          selector: { matchLabels: { 'a b': 'c' } },
        },
      },
    },
  }),
  withVolume('ephemeral without template', { ephemeral: {} }),
  withVolume('ephemeral without size', { ephemeral: { volumeClaimTemplate: { spec: { resources: { requests: { storage: '0' } } } } } }),
  withVolume('image', { image: { reference: '', pullPolicy: 'Foo' } }),
  podCase('a claim that an ephemeral volume makes', {
    volumes: [
      {
        name: 'e',
        ephemeral: { volumeClaimTemplate: { spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1' } } } } },
      },
      { name: 'v', persistentVolumeClaim: { claimName: 'p-e' } },
    ],
  }),
  withContainer(
    'mounts',
    {
      volumeMounts: [
        { name: 'nope', mountPath: '/a' },
        { name: 'v', mountPath: '' },
        { name: 'v', mountPath: '/a', subPath: '/x/..', subPathExpr: '/y', mountPropagation: 'Bidirectional' },
        { name: 'd', mountPath: '/dev/d', mountPropagation: 'Foo', recursiveReadOnly: 'Enabled' },
        { name: 'v', mountPath: '/b', recursiveReadOnly: 'Foo' },
      ],
      volumeDevices: [
        { name: 'd', devicePath: '/dev/d' },
        { name: 'v', devicePath: '/dev/../v' },
        { name: 'd', devicePath: '' },
        { name: 'nope', devicePath: '/dev/d' },
      ],
    },
    {
      volumes: [
        { name: 'v', emptyDir: {} },
        { name: 'd', persistentVolumeClaim: { claimName: 'c' } },
      ],
    },
  ),
];

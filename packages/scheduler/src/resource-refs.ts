import type {
  CSIDriver,
  CSINode,
  CSIStorageCapacity,
  Namespace,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  PodDisruptionBudget,
  Service,
  StorageClass,
  VolumeAttachment,
} from '@skiff/api';
import type { KubeObject, ResourceRef } from '@skiff/apimachinery';

/** Addresses of what the scheduler reads and writes. Its own, since the definitions with schemas and validation would cost 11 MB and are not used. */
export const podResource: ResourceRef<Pod> = { group: '', version: 'v1', kind: 'Pod', plural: 'pods', scope: 'Namespaced' };
export const nodeResource: ResourceRef<Node> = { group: '', version: 'v1', kind: 'Node', plural: 'nodes', scope: 'Cluster' };
export const namespaceResource: ResourceRef<Namespace> = {
  group: '',
  version: 'v1',
  kind: 'Namespace',
  plural: 'namespaces',
  scope: 'Cluster',
};
export const serviceResource: ResourceRef<Service> = { group: '', version: 'v1', kind: 'Service', plural: 'services', scope: 'Namespaced' };
export const persistentVolume: ResourceRef<PersistentVolume> = {
  group: '',
  version: 'v1',
  kind: 'PersistentVolume',
  plural: 'persistentvolumes',
  scope: 'Cluster',
};
export const persistentVolumeClaim: ResourceRef<PersistentVolumeClaim> = {
  group: '',
  version: 'v1',
  kind: 'PersistentVolumeClaim',
  plural: 'persistentvolumeclaims',
  scope: 'Namespaced',
};
export const storageClass: ResourceRef<StorageClass> = {
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'StorageClass',
  plural: 'storageclasses',
  scope: 'Cluster',
};
export const podDisruptionBudget: ResourceRef<PodDisruptionBudget> = {
  group: 'policy',
  version: 'v1',
  kind: 'PodDisruptionBudget',
  plural: 'poddisruptionbudgets',
  scope: 'Namespaced',
};

const storage = <T extends KubeObject>(kind: string, plural: string, scope: 'Cluster' | 'Namespaced' = 'Cluster'): ResourceRef<T> => ({
  group: 'storage.k8s.io',
  version: 'v1',
  kind,
  plural,
  scope,
});
export const csiNode = storage<CSINode>('CSINode', 'csinodes');
export const csiDriver = storage<CSIDriver>('CSIDriver', 'csidrivers');
export const csiStorageCapacity = storage<CSIStorageCapacity>('CSIStorageCapacity', 'csistoragecapacities', 'Namespaced');
export const volumeAttachment = storage<VolumeAttachment>('VolumeAttachment', 'volumeattachments');

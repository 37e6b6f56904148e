import { formatGroupVersion, type DeepReadonly, type KubeObject, type OwnerReference, type ResourceRef } from '@skiff/apimachinery';
import { controllerOf } from '@skiff/client';

/** The reference that makes `owner` the controller of what carries it. */
export const controllerReference = (owner: DeepReadonly<KubeObject>, resource: ResourceRef): OwnerReference => ({
  apiVersion: formatGroupVersion(resource.group, resource.version),
  kind: resource.kind,
  name: owner.metadata?.name ?? '',
  uid: owner.metadata?.uid ?? '',
  controller: true,
  blockOwnerDeletion: true,
});

export const isControlledBy = (object: DeepReadonly<KubeObject>, owner: DeepReadonly<KubeObject>): boolean =>
  controllerOf(object)?.uid === owner.metadata?.uid && owner.metadata?.uid !== undefined;

/** Index of objects by their controller's UID; what has none is under `orphan/<namespace>`. */
export const controllerUidIndex = 'controllerUid';
export const byControllerUid = (object: DeepReadonly<KubeObject>): readonly string[] => [
  controllerOf(object)?.uid ?? `orphan/${object.metadata?.namespace ?? ''}`,
];

import { type Ingress, ingressClass, type IngressClass, type PersistentVolumeClaim, storageClass, type StorageClass } from '@skiff/api';
import { lookupTable, type DeepReadonly, type KubeObject, compareQuantities } from '@skiff/apimachinery';
import type { AdmissionRequest, ObjectAccess } from '../contract.ts';
import { type AdmissionPlugin, isFor } from './plugin.ts';
import { refuse } from './refuse.ts';

/** Of the classes that one of the annotations calls the default: the newest; of several that are as new the first by name. */
function newestDefault<T extends KubeObject>(classes: readonly DeepReadonly<T>[], annotations: readonly string[]): string | undefined {
  const text = (c: DeepReadonly<KubeObject>): string => c.metadata?.creationTimestamp ?? '';
  const name = (c: DeepReadonly<KubeObject>): string => c.metadata?.name ?? '';
  const [newest] = classes
    .filter((c) => annotations.some((a) => c.metadata?.annotations?.[a] === 'true'))
    .toSorted((a, b) => (text(a) === text(b) ? (name(a) < name(b) ? -1 : 1) : text(a) < text(b) ? 1 : -1));
  return newest?.metadata?.name;
}

const betaClass = 'volume.beta.kubernetes.io/storage-class';
const claimOf = (o: unknown): DeepReadonly<PersistentVolumeClaim> => o as DeepReadonly<PersistentVolumeClaim>;
const classNameOf = (claim: DeepReadonly<PersistentVolumeClaim>): string =>
  claim.metadata?.annotations?.[betaClass] ?? claim.spec?.storageClassName ?? '';

/** A claim that names no class gets the default one. The controller does it later for those that came before there was one. */
export const defaultStorageClass = (objects: ObjectAccess): AdmissionPlugin => ({
  name: 'DefaultStorageClass',
  handles: (r) => r.operation === 'CREATE' && isFor(r, '', 'persistentvolumeclaims'),
  mutate: (r) => {
    const claim = r.object as unknown as PersistentVolumeClaim;
    if (claim.metadata?.annotations?.[betaClass] !== undefined || claim.spec?.storageClassName !== undefined) return;
    const name = newestDefault(objects.list<StorageClass>(storageClass), [
      'storageclass.kubernetes.io/is-default-class',
      'storageclass.beta.kubernetes.io/is-default-class',
    ]);
    if (name !== undefined) claim.spec = { ...claim.spec, storageClassName: name };
  },
});

/** An Ingress that names no class gets the default one. */
export const defaultIngressClass = (objects: ObjectAccess): AdmissionPlugin => ({
  name: 'DefaultIngressClass',
  handles: (r) => r.operation === 'CREATE' && isFor(r, 'networking.k8s.io', 'ingresses'),
  mutate: (r) => {
    const ingress = r.object as unknown as Ingress;
    if (ingress.spec?.ingressClassName !== undefined) return;
    if (ingress.metadata?.annotations?.['kubernetes.io/ingress.class'] !== undefined) return;
    const name = newestDefault(objects.list<IngressClass>(ingressClass), ['ingressclass.kubernetes.io/is-default-class']);
    if (name !== undefined) ingress.spec = { ...ingress.spec, ingressClassName: name };
  },
});

/** Claims grow only once they are bound, and where their class says that its volumes can. */
export const persistentVolumeClaimResize = (objects: ObjectAccess): AdmissionPlugin => ({
  name: 'PersistentVolumeClaimResize',
  handles: (r) => r.operation === 'UPDATE' && isFor(r, '', 'persistentvolumeclaims'),
  validate: (r) => {
    const [claim, old] = [claimOf(r.object), claimOf(r.oldObject)];
    const size = (c: DeepReadonly<PersistentVolumeClaim>): string => c.spec?.resources?.requests?.['storage'] ?? '0';
    if (compareQuantities(size(claim), size(old)) <= 0) return;
    if (old.status?.phase !== 'Bound') throw refuse(r, 'Only bound persistent volume claims can be expanded');
    const name = classNameOf(claim);
    const found = name === '' || name !== classNameOf(old) ? undefined : objects.get<StorageClass>(storageClass, '', name);
    if (found?.allowVolumeExpansion === true) return;
    throw refuse(r, 'only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize');
  },
});

const finalizers = lookupTable<string>({
  '/persistentvolumes': 'kubernetes.io/pv-protection',
  '/persistentvolumeclaims': 'kubernetes.io/pvc-protection',
  'storage.k8s.io/volumeattributesclasses': 'kubernetes.io/vac-protection',
});
const finalizerFor = (r: AdmissionRequest): string | undefined => finalizers[`${r.definition.group}/${r.definition.plural}`];

/** Volumes, claims and VolumeAttributesClasses stay, once deleted, while they are in use: controllers take the finalizer away. */
export const storageObjectInUseProtection: AdmissionPlugin = {
  name: 'StorageObjectInUseProtection',
  handles: (r) => r.operation === 'CREATE' && r.subresource === '' && finalizerFor(r) !== undefined,
  mutate: (r) => {
    const object = r.object as KubeObject;
    const finalizer = finalizerFor(r) ?? '';
    const meta = (object.metadata ??= {});
    if (!(meta.finalizers ?? []).includes(finalizer)) meta.finalizers = [...(meta.finalizers ?? []), finalizer];
  },
};

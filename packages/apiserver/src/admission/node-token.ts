import {
  csiDriver,
  persistentVolume,
  persistentVolumeClaim,
  pod,
  type CSIDriver,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type Pod,
  type TokenRequest,
} from '@skiff/api';
import { type DeepReadonly, notFound } from '@skiff/apimachinery';
import { resourceAttributes, type Authorizer } from '../authz/authorizer.ts';
import type { ObjectAccess } from '../contract.ts';
import { type NodeCheck, objectOf, quote } from './node-objects.ts';
import { refuse } from './refuse.ts';

type PodView = DeepReadonly<Pod>;
type PodVolume = NonNullable<NonNullable<PodView['spec']>['volumes']>[number];

/** Drivers by which volumes of kinds that were once built in are served: both in pods and in PersistentVolumes. */
const migratedDrivers = {
  awsElasticBlockStore: 'ebs.csi.aws.com',
  azureDisk: 'disk.csi.azure.com',
  azureFile: 'file.csi.azure.com',
  cinder: 'cinder.csi.openstack.org',
  gcePersistentDisk: 'pd.csi.storage.gke.io',
  portworxVolume: 'pxd.portworx.com',
  vsphereVolume: 'csi.vsphere.vmware.com',
} as const;
const migratedDriver = (source: object): string | undefined =>
  Object.entries(migratedDrivers).find(([kind]) => (source as Record<string, unknown>)[kind] !== undefined)?.[1];

/** The CSI driver that serves a volume of a pod; undefined for none. Throws an Error with the reason when that can't be told. */
function driverOf(objects: ObjectAccess, p: PodView, volume: PodVolume): string | undefined {
  const namespace = p.metadata?.namespace ?? '';
  const claimName = volume.ephemeral !== undefined ? `${p.metadata?.name ?? ''}-${volume.name}` : volume.persistentVolumeClaim?.claimName;
  if (claimName === undefined) return volume.csi?.driver ?? migratedDriver(volume);
  const claim = objects.get<PersistentVolumeClaim>(persistentVolumeClaim, namespace, claimName);
  if (claim === undefined) throw notFound({ group: '', resource: 'persistentvolumeclaim' }, claimName);
  const volumeName = claim.spec?.volumeName ?? '';
  const bound = objects.get<PersistentVolume>(persistentVolume, '', volumeName);
  if (bound === undefined) throw notFound({ group: '', resource: 'persistentvolume' }, volumeName);
  return bound.spec?.csi?.driver ?? migratedDriver(bound.spec ?? {});
}

function driverAsksFor(objects: ObjectAccess, driver: string, audience: string): boolean {
  const found = objects.get<CSIDriver>(csiDriver, '', driver);
  if (found === undefined) throw notFound({ group: 'storage.k8s.io', resource: 'csidriver' }, driver);
  return (found.spec.tokenRequests ?? []).some((t) => t.audience === audience);
}

/** Whether the pod's volumes need a token for this audience. Throws an Error when it isn't seen to, and not all could be looked at. */
function podAsksFor(objects: ObjectAccess, p: PodView, audience: string): boolean {
  const errors: string[] = [];
  for (const volume of p.spec?.volumes ?? []) {
    if (volume.projected?.sources?.some((s) => s.serviceAccountToken !== undefined && (s.serviceAccountToken.audience ?? '') === audience))
      return true;
    try {
      const driver = driverOf(objects, p, volume);
      if (driver !== undefined && driver !== '' && driverAsksFor(objects, driver, audience)) return true;
    } catch (error) {
      errors.push((error as Error).message);
    }
  }
  if (errors.length > 0) throw new Error(errors.length === 1 ? errors[0] : `[${errors.join(', ')}]`);
  return false;
}

/** A node gets tokens that are bound to a pod of its own, for audiences that the pod's volumes ask for (KEP-4935 allows more by RBAC). */
export const admitNodeToken =
  (objects: ObjectAccess, authorizer: () => Authorizer): NodeCheck =>
  async (name, r) => {
    if (r.operation !== 'CREATE' || r.subresource !== 'token') return;
    const request = objectOf<TokenRequest>(r);
    const ref = request.spec?.boundObjectRef;
    if (ref === undefined || ref === null || ref.apiVersion !== 'v1' || ref.kind !== 'Pod' || (ref.name ?? '') === '')
      throw refuse(r, 'node requested token not bound to a pod');
    if ((ref.uid ?? '') === '') throw refuse(r, 'node requested token with a pod binding without a uid');
    const bound = objects.get<Pod>(pod, r.namespace, ref.name ?? '');
    if (bound === undefined) throw notFound({ group: '', resource: 'pod' }, ref.name ?? '');
    if (ref.uid !== bound.metadata?.uid) {
      throw refuse(
        r,
        `the UID in the bound object reference (${ref.uid ?? ''}) does not match the UID in record. The object might have been deleted and then recreated`,
      );
    }
    if (bound.spec?.nodeName !== name) throw refuse(r, 'node requested token bound to a pod scheduled on a different node');
    const audiences = request.spec?.audiences ?? [];
    if (audiences.length > 1) throw refuse(r, 'node may only request 0 or 1 audiences');
    const audience = audiences[0] ?? '';
    try {
      if (podAsksFor(objects, bound, audience)) return;
    } catch (error) {
      throw refuse(r, `error validating audience ${quote(audience)}: ${(error as Error).message}`);
    }
    const verdict = await authorizer().authorize(
      resourceAttributes(r.user, {
        verb: 'request-serviceaccounts-token-audience',
        version: 'v1',
        resource: audience,
        namespace: r.namespace,
        name: r.name,
      }),
    );
    if (verdict.decision !== 'allow') {
      throw refuse(
        r,
        `audience ${quote(audience)} not found in pod spec volume, ${r.user.name} is not authorized to request tokens for this audience`,
      );
    }
  };

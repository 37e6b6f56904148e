import { allReferences, type Pod, type PodReferences, type PodSpec } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';

/** What gives its node a right to read it. Mirror pods give nothing: nodes make those themselves. */
export const podReferences = (pod: DeepReadonly<Pod>): PodReferences | undefined =>
  pod.metadata?.annotations?.['kubernetes.io/config.mirror'] === undefined ? allReferences(pod) : undefined;

type VolumeView = NonNullable<DeepReadonly<PodSpec>['volumes']>[number];

function referenceOfVolume(v: VolumeView): string | undefined {
  if (v.configMap !== undefined) return 'configmaps (via configmap volumes)';
  if (v.secret !== undefined) return 'secrets (via secret volumes)';
  if (v.csi !== undefined) return 'csidrivers (via CSI volumes)';
  if (v.glusterfs !== undefined) return 'endpoints (via glusterFS volumes)';
  if (v.persistentVolumeClaim !== undefined) return 'persistentvolumeclaims';
  if (v.ephemeral !== undefined) return 'persistentvolumeclaims (via ephemeral volumes)';
  if (v.azureFile !== undefined) return 'secrets (via azureFile volumes)';
  for (const source of v.projected?.sources ?? []) {
    if (source.configMap !== undefined) return 'configmaps (via projected volumes)';
    if (source.secret !== undefined) return 'secrets (via projected volumes)';
    if (source.serviceAccountToken !== undefined) return 'serviceaccounts (via projected volumes)';
    if (source.clusterTrustBundle !== undefined) return 'clustertrustbundles';
    if (source.podCertificate !== undefined) return 'podcertificates';
  }
  return undefined;
}

/** What of the API a pod refers to first, in upstream's words: what a pod that a node made up itself must not. */
export function firstApiReference(pod: DeepReadonly<Pod>): string | undefined {
  const refs = allReferences(pod);
  if (refs.serviceAccount !== '') return 'serviceaccounts';
  if (refs.secrets.size > 0) return 'secrets';
  if (refs.configMaps.size > 0) return 'configmaps';
  if ((pod.spec?.resourceClaims ?? []).length > 0) return 'resourceclaims';
  for (const v of pod.spec?.volumes ?? []) {
    const reference = referenceOfVolume(v);
    if (reference !== undefined) return reference;
  }
  return undefined;
}

import type { Pod, PodSpec } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';

/** Names of objects in a pod's namespace that its node must be able to read. */
export interface PodReferences {
  readonly secrets: ReadonlySet<string>;
  readonly configMaps: ReadonlySet<string>;
  readonly claims: ReadonlySet<string>;
  readonly serviceAccount: string;
}

type Container = Pick<NonNullable<PodSpec['containers']>[number], 'env' | 'envFrom'>;

/** What gives its node a right to read it. Mirror pods give nothing: nodes make those themselves. */
export const podReferences = (pod: DeepReadonly<Pod>): PodReferences | undefined =>
  pod.metadata?.annotations?.['kubernetes.io/config.mirror'] === undefined ? allReferences(pod) : undefined;

/** Everything that the pod's volumes, environment and image pulls name. */
export function allReferences(pod: DeepReadonly<Pod>): PodReferences {
  const secrets = new Set<string>();
  const configMaps = new Set<string>();
  const claims = new Set<string>();
  const add = (set: Set<string>, name: string | undefined): void => {
    if (name !== undefined && name !== '') set.add(name);
  };
  const spec = pod.spec;
  for (const s of spec?.imagePullSecrets ?? []) add(secrets, s.name);
  const containers: readonly DeepReadonly<Container>[] = [
    ...(spec?.initContainers ?? []),
    ...(spec?.containers ?? []),
    ...(spec?.ephemeralContainers ?? []),
  ];
  for (const c of containers) {
    for (const env of c.env ?? []) {
      add(secrets, env.valueFrom?.secretKeyRef?.name);
      add(configMaps, env.valueFrom?.configMapKeyRef?.name);
    }
    for (const from of c.envFrom ?? []) {
      add(secrets, from.secretRef?.name);
      add(configMaps, from.configMapRef?.name);
    }
  }
  for (const v of spec?.volumes ?? []) {
    add(secrets, v.secret?.secretName);
    add(configMaps, v.configMap?.name);
    add(claims, v.persistentVolumeClaim?.claimName);
    if (v.ephemeral !== undefined) add(claims, `${pod.metadata?.name ?? ''}-${v.name}`);
    for (const source of v.projected?.sources ?? []) {
      add(secrets, source.secret?.name);
      add(configMaps, source.configMap?.name);
    }
    for (const ref of [
      v.azureFile,
      v.cephfs?.secretRef,
      v.cinder?.secretRef,
      v.flexVolume?.secretRef,
      v.rbd?.secretRef,
      v.scaleIO?.secretRef,
      v.iscsi?.secretRef,
      v.storageos?.secretRef,
      v.csi?.nodePublishSecretRef,
    ]) {
      if (ref === undefined || ref === null) continue;
      add(secrets, 'secretName' in ref ? ref.secretName : ref.name);
    }
  }
  return { secrets, configMaps, claims, serviceAccount: spec?.serviceAccountName ?? '' };
}

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

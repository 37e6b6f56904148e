import type { DeepReadonly } from '@skiff/apimachinery';
import type { Pod, PodSpec } from '../../generated/types/core-v1.ts';

/** Names of objects in a pod's namespace that it refers to. */
export interface PodReferences {
  readonly secrets: ReadonlySet<string>;
  readonly configMaps: ReadonlySet<string>;
  readonly claims: ReadonlySet<string>;
  readonly serviceAccount: string;
}

type Container = Pick<NonNullable<PodSpec['containers']>[number], 'env' | 'envFrom'>;

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

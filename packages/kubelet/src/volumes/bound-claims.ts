import {
  persistentVolume as volumes,
  persistentVolumeClaim as claims,
  type PersistentVolume,
  type PersistentVolumeClaim,
} from '@skiff/api';
import { hasReason, type KubeObject, type ObjectKey, type ResourceRef } from '@skiff/apimachinery';
import type { Client } from '@skiff/client';
import type { Clock } from '@skiff/component-base';
import type { PodSnapshot } from '../pod/pod-snapshot.ts';

export interface BoundClaim {
  readonly claim: PersistentVolumeClaim;
  readonly volume: PersistentVolume;
  readonly volumeName: string;
}

/** How long an apiserver may not have heard yet that the pod is this node's, and so may read what it names. */
const forbiddenRetriesMs = [20, 50, 100, 200, 400];

async function getSoon<T extends KubeObject>(
  resource: ResourceRef<T>,
  key: ObjectKey,
  { client, clock, signal }: { client: Client; clock: Clock; signal: AbortSignal },
): Promise<T> {
  for (const delayMs of forbiddenRetriesMs) {
    try {
      return await client.get(resource, key, { signal });
    } catch (error) {
      if (!hasReason(error, 'Forbidden')) throw error;
      await clock.sleep(delayMs, signal);
    }
  }
  return await client.get(resource, key, { signal });
}

/** The claim that a pod's volume names, with the volume that it is bound to. Throws with upstream's texts while it can't be used. */
export async function readBoundClaim(
  pod: PodSnapshot,
  o: { readonly claimName: string; readonly isEphemeral: boolean },
  deps: { client: Client; clock: Clock; signal: AbortSignal },
): Promise<BoundClaim> {
  const { namespace } = pod.metadata;
  const key = `${namespace}/${o.claimName}`;
  const { signal } = deps;
  const fetched = (what: string) => (cause: unknown) => {
    signal.throwIfAborted();
    throw new Error(`failed to fetch ${what} from API server: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  };
  const claim = await getSoon(claims, { namespace, name: o.claimName }, deps).catch(fetched('PVC'));
  if (o.isEphemeral && claim.metadata?.ownerReferences?.some((r) => r.controller === true && r.uid === pod.metadata.uid) !== true)
    throw new Error(`PVC ${key} was not created for pod ${namespace}/${pod.metadata.name} (pod is not owner)`);
  if (claim.metadata?.deletionTimestamp !== undefined) {
    // Protection keeps it for pods that had it already; a new one must not begin with it.
    const isKnown = (pod.status.containerStatuses ?? []).some((s) => s.containerID !== undefined);
    if (!isKnown) throw new Error('PVC is being deleted');
  }
  const volumeName = claim.spec?.volumeName ?? '';
  if (claim.status?.phase !== 'Bound' || volumeName === '') throw new Error('PVC is not bound');
  const volume = await getSoon(volumes, { name: volumeName }, deps).catch(fetched('PV'));
  const ref = volume.spec?.claimRef;
  if (ref === undefined) throw new Error(`PV ${volumeName} has nil ClaimRef`);
  if (ref.uid !== claim.metadata?.uid)
    throw new Error(`PV ${volumeName} ClaimRef.UID (${ref.uid ?? ''}) does not match PVC.UID (${claim.metadata?.uid ?? ''})`);
  return { claim, volume, volumeName };
}

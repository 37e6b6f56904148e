import { hasReason, type DeepReadonly, type KubeObject, type ResourceRef } from '@skiff/apimachinery';
import { controllerOf, type Client } from '@skiff/client';
import { controllerReference } from './owner-references.ts';

export interface Claim<T extends KubeObject> {
  readonly owner: DeepReadonly<KubeObject>;
  readonly ownerResource: ResourceRef;
  readonly childResource: ResourceRef<T>;
  readonly matches: (child: DeepReadonly<T>) => boolean;
  readonly client: Client;
  readonly signal: AbortSignal;
  /** Finalizers that are added on adoption (jobs). */
  readonly finalizers?: readonly string[];
}

/**
 * The children that belong to an owner: those it controls and that match, orphans that match (adopted), without those it controls
 * and that match no longer (released). An owner that is being deleted neither adopts nor releases. Before the first adoption
 * the owner is read afresh, since adopting for a deleted owner would let garbage collection take the child.
 */
export async function claimChildren<T extends KubeObject>(
  children: readonly DeepReadonly<T>[],
  claim: Claim<T>,
): Promise<DeepReadonly<T>[]> {
  const ownerUid = claim.owner.metadata?.uid;
  const ownerEnds = claim.owner.metadata?.deletionTimestamp !== undefined;
  let mayAdopt: Promise<void> | undefined;
  const claimed: DeepReadonly<T>[] = [];
  for (const child of children) {
    const controller = controllerOf(child);
    const matches = claim.matches(child);
    if (controller !== undefined) {
      if (controller.uid !== ownerUid) continue;
      if (matches) claimed.push(child);
      else if (!ownerEnds) await release(child, claim);
      continue;
    }
    if (!matches || ownerEnds || child.metadata?.deletionTimestamp !== undefined) continue;
    await (mayAdopt ??= checkOwnerLives(claim));
    if (await adopt(child, claim)) claimed.push(child);
  }
  return claimed;
}

const keyOfChild = (child: DeepReadonly<KubeObject>): { namespace: string; name: string } => ({
  namespace: child.metadata?.namespace ?? '',
  name: child.metadata?.name ?? '',
});

async function checkOwnerLives<T extends KubeObject>(claim: Claim<T>): Promise<void> {
  const { owner, ownerResource, client, signal } = claim;
  const fresh = await client.get(ownerResource, keyOfChild(owner), { signal });
  if (fresh.metadata?.uid !== owner.metadata?.uid)
    throw new Error(`original ${ownerResource.kind} ${owner.metadata?.name ?? ''} is gone: its name has another uid now`);
  if (fresh.metadata?.deletionTimestamp !== undefined)
    throw new Error(`${ownerResource.kind} ${owner.metadata?.name ?? ''} has just been deleted at ${fresh.metadata.deletionTimestamp}`);
}

async function adopt<T extends KubeObject>(child: DeepReadonly<T>, claim: Claim<T>): Promise<boolean> {
  const metadata = {
    uid: child.metadata?.uid,
    ownerReferences: [controllerReference(claim.owner, claim.ownerResource)],
    ...(claim.finalizers === undefined ? {} : { finalizers: claim.finalizers }),
  };
  try {
    await claim.client.patch(claim.childResource, keyOfChild(child), { type: 'strategic', body: { metadata } }, { signal: claim.signal });
    return true;
  } catch (error) {
    if (hasReason(error, 'NotFound')) return false;
    throw error;
  }
}

async function release<T extends KubeObject>(child: DeepReadonly<T>, claim: Claim<T>): Promise<void> {
  const metadata = {
    uid: child.metadata?.uid,
    ownerReferences: [{ $patch: 'delete', uid: claim.owner.metadata?.uid }],
    ...(claim.finalizers === undefined ? {} : { '$deleteFromPrimitiveList/finalizers': claim.finalizers }),
  };
  try {
    await claim.client.patch(claim.childResource, keyOfChild(child), { type: 'strategic', body: { metadata } }, { signal: claim.signal });
  } catch (error) {
    // Gone, or another object has its name (the uid is a precondition): released either way.
    if (!hasReason(error, 'NotFound') && !hasReason(error, 'Invalid') && !hasReason(error, 'Conflict')) throw error;
  }
}

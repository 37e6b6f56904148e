import { pod as pods, statefulSet as statefulSets } from '@skiff/api';
import { formatGroupVersion, type DeepReadonly, type KubeObject, type OwnerReference, type ResourceRef } from '@skiff/apimachinery';
import { controllerReference } from '../owner-references.ts';
import { inRange, ordinalOf, type ClaimView, type PodView, type SetView } from './identity.ts';

type Reference = DeepReadonly<OwnerReference>;

const names = (r: Reference, object: DeepReadonly<KubeObject>, resource: ResourceRef): boolean =>
  r.apiVersion === formatGroupVersion(resource.group, resource.version) && r.kind === resource.kind && r.name === object.metadata?.name;

export interface RetentionPolicy {
  readonly whenDeleted: string;
  readonly whenScaled: string;
}
export const retentionPolicy = (set: SetView): RetentionPolicy => ({
  whenDeleted: set.spec?.persistentVolumeClaimRetentionPolicy?.whenDeleted ?? 'Retain',
  whenScaled: set.spec?.persistentVolumeClaimRetentionPolicy?.whenScaled ?? 'Retain',
});
const retainsAll = (p: RetentionPolicy): boolean => p.whenDeleted === 'Retain' && p.whenScaled === 'Retain';

/** The claim still names a pod that had this name before: it is about to be deleted with it, and can't be used again. */
export const hasStalePod = (claim: ClaimView, pod: PodView): boolean =>
  (claim.metadata?.ownerReferences ?? []).some((r) => names(r, pod, pods) && r.uid !== pod.metadata?.uid);

/** Somebody else manages the claim's life; the policy then keeps out of it. */
export function hasForeignController(claim: ClaimView, set: SetView, pod: PodView): boolean {
  if (retainsAll(retentionPolicy(set))) return false;
  return (claim.metadata?.ownerReferences ?? []).some((r) => {
    if (names(r, set, statefulSets)) return r.uid !== set.metadata?.uid;
    if (names(r, pod, pods)) return r.uid !== pod.metadata?.uid;
    return r.controller === true;
  });
}

/**
 * Owner references that make garbage collection carry the retention policy out (KEP-1847): the set owns what goes with it, the
 * pod what goes when it is scaled away. undefined: they are right already, or not ours to change.
 */
export function computeClaimOwners(claim: ClaimView, set: SetView, pod: PodView): OwnerReference[] | undefined {
  const current = claim.metadata?.ownerReferences ?? [];
  const ours = (r: Reference): boolean => names(r, set, statefulSets) || names(r, pod, pods);
  const stale = current.some((r) => ours(r) && r.uid !== set.metadata?.uid && r.uid !== pod.metadata?.uid);
  if (stale) return undefined;
  const others = current.filter((r) => !ours(r)).map((r) => ({ ...r }));
  const policy = retentionPolicy(set);
  const ordinal = ordinalOf(set, pod);
  const scaledAway = ordinal === undefined || !inRange(set, ordinal);
  const wanted: OwnerReference[] = [...others];
  if (!hasForeignController(claim, set, pod)) {
    if (policy.whenDeleted === 'Delete' && !(policy.whenScaled === 'Delete' && scaledAway))
      wanted.push(controllerReference(set, statefulSets));
    if (policy.whenScaled === 'Delete' && scaledAway) wanted.push(controllerReference(pod, pods));
  }
  const key = (r: Reference): string => `${r.uid} ${r.controller === true}`;
  const same = wanted.length === current.length && wanted.every((w) => current.some((c) => key(c) === key(w)));
  return same ? undefined : wanted;
}

import type { Deployment, ReplicaSet } from '@skiff/api';
import { scaledValue, type DeepReadonly, type IntOrString } from '@skiff/apimachinery';
import { countAnnotation, desiredReplicasAnnotation, maxReplicasAnnotation, revisionOf } from './revisions.ts';

export type DeploymentView = DeepReadonly<Deployment>;
export type ReplicaSetView = DeepReadonly<ReplicaSet>;

/** A wanted size. `annotate`: the replica annotations are brought up to date even if the size is right. */
export interface ScaleStep {
  readonly set: ReplicaSetView;
  readonly replicas: number;
  readonly annotate?: boolean;
}

const podsOf = (value: IntOrString | undefined, total: number, round: 'up' | 'down'): number =>
  value === undefined ? 0 : scaledValue(value, total, round === 'up');

export const desiredReplicas = (d: DeploymentView): number => d.spec?.replicas ?? 1;
export const replicasOf = (set: ReplicaSetView): number => set.spec?.replicas ?? 1;
const availableOf = (set: ReplicaSetView): number => set.status?.availableReplicas ?? 0;
const sum = (sets: readonly ReplicaSetView[], of: (set: ReplicaSetView) => number): number =>
  sets.reduce((total, set) => total + of(set), 0);
export const isRolling = (d: DeploymentView): boolean => d.spec?.strategy?.type === 'RollingUpdate';

/** Surge and unavailability in pods. If both round to nothing, one may be unavailable: else a rollout couldn't move. */
function fenceposts(d: DeploymentView): { surge: number; unavailable: number } {
  const rolling = d.spec?.strategy?.rollingUpdate;
  const surge = podsOf(rolling?.maxSurge, desiredReplicas(d), 'up');
  const unavailable = podsOf(rolling?.maxUnavailable, desiredReplicas(d), 'down');
  return { surge, unavailable: surge === 0 && unavailable === 0 ? 1 : unavailable };
}
export const maxSurge = (d: DeploymentView): number => (isRolling(d) ? fenceposts(d).surge : 0);
export const maxUnavailable = (d: DeploymentView): number =>
  isRolling(d) && desiredReplicas(d) !== 0 ? Math.min(fenceposts(d).unavailable, desiredReplicas(d)) : 0;
export const maxTotal = (d: DeploymentView): number => desiredReplicas(d) + maxSurge(d);

const creationOf = (set: ReplicaSetView): string => set.metadata?.creationTimestamp ?? '';
const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
export const byCreation = (a: ReplicaSetView, b: ReplicaSetView): number =>
  compareText(creationOf(a), creationOf(b)) || compareText(a.metadata?.name ?? '', b.metadata?.name ?? '');
export const byRevision = (a: ReplicaSetView, b: ReplicaSetView): number =>
  Number((revisionOf(a) ?? 0n) - (revisionOf(b) ?? 0n)) || byCreation(a, b);
export const isActiveSet = (set: ReplicaSetView): boolean => replicasOf(set) > 0;

/** Size of the new ReplicaSet as far as the surge allows. `newSet` undefined: it is about to be made. */
export function newReplicaSetSize(d: DeploymentView, oldSets: readonly ReplicaSetView[], newSet: ReplicaSetView | undefined): number {
  const current = newSet === undefined ? 0 : replicasOf(newSet);
  if (!isRolling(d)) return desiredReplicas(d);
  // The percentage itself, without the fenceposts' rule: it says what may be unavailable, not surge.
  const total = desiredReplicas(d) + podsOf(d.spec?.strategy?.rollingUpdate?.maxSurge, desiredReplicas(d), 'up');
  const room = total - sum(oldSets, replicasOf) - current;
  return room <= 0 ? current : current + Math.min(room, desiredReplicas(d) - current);
}

/** One step of a rolling update: up if there is room, else down as far as availability allows. Empty: nothing to do now. */
export function planRollingStep(d: DeploymentView, newSet: ReplicaSetView, oldSets: readonly ReplicaSetView[]): readonly ScaleStep[] {
  const desired = desiredReplicas(d);
  if (replicasOf(newSet) !== desired) {
    const size = replicasOf(newSet) > desired ? desired : newReplicaSetSize(d, oldSets, newSet);
    if (size !== replicasOf(newSet)) return [{ set: newSet, replicas: size }];
  }
  return planOldScaleDown(d, newSet, oldSets.filter(isActiveSet));
}

function planOldScaleDown(d: DeploymentView, newSet: ReplicaSetView, active: readonly ReplicaSetView[]): readonly ScaleStep[] {
  if (active.length === 0) return [];
  const minAvailable = desiredReplicas(d) - maxUnavailable(d);
  const total = sum(active, replicasOf) + replicasOf(newSet);
  const newUnavailable = replicasOf(newSet) - availableOf(newSet);
  const budget = total - minAvailable - newUnavailable;
  if (budget <= 0) return [];
  const sizes = new Map(active.map((set) => [set, replicasOf(set)]));
  const oldestFirst = [...active].sort(byCreation);

  // Unhealthy pods go first: they count for nothing, and they would hold the rollout up.
  let cleaned = 0;
  for (const set of oldestFirst) {
    const unhealthy = replicasOf(set) - availableOf(set);
    if (cleaned >= budget || unhealthy <= 0) continue;
    const count = Math.min(budget - cleaned, unhealthy);
    sizes.set(set, replicasOf(set) - count);
    cleaned += count;
  }
  // Then healthy ones, as many as are available beyond the minimum.
  let spare = sum([...active, newSet], availableOf) - minAvailable;
  for (const set of oldestFirst) {
    const size = sizes.get(set) ?? 0;
    if (spare <= 0) break;
    const count = Math.min(size, spare);
    sizes.set(set, size - count);
    spare -= count;
  }
  return oldestFirst.filter((set) => sizes.get(set) !== replicasOf(set)).map((set) => ({ set, replicas: sizes.get(set) ?? 0 }));
}

const isSaturated = (d: DeploymentView, set: ReplicaSetView): boolean => {
  const desired = desiredReplicas(d);
  return replicasOf(set) === desired && countAnnotation(set, desiredReplicasAnnotation) === desired && availableOf(set) === desired;
};

/** How a change of the Deployment's own size is spread over its ReplicaSets, also in mid-rollout and while paused. */
export function planScale(d: DeploymentView, newSet: ReplicaSetView | undefined, oldSets: readonly ReplicaSetView[]): readonly ScaleStep[] {
  const desired = desiredReplicas(d);
  const all = newSet === undefined ? [...oldSets] : [...oldSets, newSet];
  const active = all.filter(isActiveSet);
  const latest = active.length > 1 ? undefined : (active[0] ?? newSet ?? [...oldSets].sort(byCreation).at(-1));
  if (active.length <= 1) return latest === undefined || replicasOf(latest) === desired ? [] : [{ set: latest, replicas: desired }];
  if (newSet !== undefined && isSaturated(d, newSet)) return oldSets.filter(isActiveSet).map((set) => ({ set, replicas: 0 }));
  if (!isRolling(d)) return [];

  const toAdd = (desired > 0 ? maxTotal(d) : 0) - sum(active, replicasOf);
  // The largest first; of equal ones the newest grows and the oldest shrinks first.
  const ordered = active.sort((a, b) => replicasOf(b) - replicasOf(a) || (toAdd > 0 ? byCreation(b, a) : byCreation(a, b)));
  let added = 0;
  const sizes = ordered.map((set) => {
    const share = toAdd === 0 ? 0 : proportion(d, set, { toAdd, added });
    added += share;
    return replicasOf(set) + share;
  });
  if (toAdd !== 0 && sizes[0] !== undefined) sizes[0] = Math.max(0, sizes[0] + toAdd - added);
  return ordered.map((set, i) => ({ set, replicas: sizes[i] ?? 0, annotate: true }));
}

function proportion(d: DeploymentView, set: ReplicaSetView, o: { toAdd: number; added: number }): number {
  if (o.toAdd === o.added) return 0;
  const share = fraction(d, set);
  const left = o.toAdd - o.added;
  return o.toAdd > 0 ? Math.min(share, left) : Math.max(share, left);
}

/** The set's share of the change if it keeps its part of the whole. */
function fraction(d: DeploymentView, set: ReplicaSetView): number {
  if (desiredReplicas(d) === 0) return -replicasOf(set);
  const before = countAnnotation(set, maxReplicasAnnotation) || (d.status?.replicas ?? 0);
  if (before === 0) return 0;
  const exact = (replicasOf(set) * maxTotal(d)) / before;
  return (exact < 0 ? Math.ceil(exact - 0.5) : Math.floor(exact + 0.5)) - replicasOf(set);
}

/** Whether the Deployment's size was changed since its ReplicaSets were last scaled. */
export const isScalingEvent = (d: DeploymentView, sets: readonly ReplicaSetView[]): boolean =>
  sets.filter(isActiveSet).some((set) => {
    const desired = countAnnotation(set, desiredReplicasAnnotation);
    return desired !== undefined && desired !== desiredReplicas(d);
  });

/** Old ReplicaSets beyond the history limit that run nothing. */
export function planHistoryCleanup(d: DeploymentView, oldSets: readonly ReplicaSetView[]): readonly ReplicaSetView[] {
  const limit = d.spec?.revisionHistoryLimit;
  if (limit === undefined || limit === 2 ** 31 - 1) return [];
  const alive = oldSets.filter((set) => set.metadata?.deletionTimestamp === undefined).sort(byRevision);
  return alive
    .slice(0, Math.max(0, alive.length - limit))
    .filter(
      (set) =>
        (set.status?.replicas ?? 0) === 0 &&
        replicasOf(set) === 0 &&
        (set.metadata?.generation ?? 0) <= (set.status?.observedGeneration ?? 0),
    );
}

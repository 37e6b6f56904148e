import type { Deployment, ReplicaSet } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';

export const revisionAnnotation = 'deployment.kubernetes.io/revision';
export const revisionHistoryAnnotation = 'deployment.kubernetes.io/revision-history';
export const desiredReplicasAnnotation = 'deployment.kubernetes.io/desired-replicas';
export const maxReplicasAnnotation = 'deployment.kubernetes.io/max-replicas';

const revisionHistoryMaxChars = 2000;

/** Annotations of a Deployment that its ReplicaSets don't get. */
const ownAnnotations: ReadonlySet<string> = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  revisionAnnotation,
  revisionHistoryAnnotation,
  desiredReplicasAnnotation,
  maxReplicasAnnotation,
  'deprecated.deployment.rollback.to',
]);

const maxInt64 = 2n ** 63n - 1n;

/** An int64, which a JavaScript number does not hold. */
function parseRevision(text: string): bigint | undefined {
  if (!/^[+-]?\d+$/.test(text)) return undefined;
  const value = BigInt(text.replace(/^\+/, ''));
  return value > maxInt64 || value < -maxInt64 - 1n ? undefined : value;
}

/** 0 when there is none; undefined when it isn't a number. */
export function revisionOf(set: DeepReadonly<ReplicaSet>): bigint | undefined {
  const text = set.metadata?.annotations?.[revisionAnnotation];
  return text === undefined ? 0n : parseRevision(text);
}

/** One more than the highest. */
export function nextRevision(oldSets: readonly DeepReadonly<ReplicaSet>[]): bigint {
  let highest = 0n;
  for (const set of oldSets) {
    const revision = revisionOf(set) ?? 0n;
    if (revision > highest) highest = revision;
  }
  return highest + 1n;
}

export function replicasAnnotations(desired: number, max: number): Readonly<Record<string, string>> {
  return { [desiredReplicasAnnotation]: String(desired), [maxReplicasAnnotation]: String(max) };
}

/** A count from an annotation; undefined where it is absent or no int32 ≥ 0. */
export function countAnnotation(set: DeepReadonly<ReplicaSet>, annotation: string): number | undefined {
  const text = set.metadata?.annotations?.[annotation];
  if (text === undefined || !/^\d+$/.test(text) || Number(text) >= 2 ** 31) return undefined;
  return Number(text);
}

/**
 * Annotations of the ReplicaSet that runs the current template: the Deployment's, and its revision. A revision that it had before
 * (a rollback reuses the ReplicaSet) goes into its history.
 */
export function newReplicaSetAnnotations(
  deployment: DeepReadonly<Deployment>,
  current: Readonly<Record<string, string>> | undefined,
  revision: bigint,
): Record<string, string> {
  const annotations: Record<string, string> = { ...current };
  for (const [key, value] of Object.entries(deployment.metadata?.annotations ?? {})) if (!ownAnnotations.has(key)) annotations[key] = value;
  const old = current?.[revisionAnnotation];
  const oldRevision = old === undefined || old === '' ? 0n : parseRevision(old);
  if (oldRevision === undefined || oldRevision >= revision) return annotations;
  annotations[revisionAnnotation] = String(revision);
  if (old !== undefined) {
    const history = appendRevision(annotations[revisionHistoryAnnotation] ?? '', old);
    if (history !== undefined) annotations[revisionHistoryAnnotation] = history;
  }
  return annotations;
}

/** The oldest are dropped when it gets too long. */
function appendRevision(history: string, revision: string): string | undefined {
  const revisions = history === '' ? [] : history.split(',');
  revisions.push(revision);
  while (revisions.length > 1 && revisions.join(',').length > revisionHistoryMaxChars) revisions.shift();
  const text = revisions.join(',');
  return text.length > revisionHistoryMaxChars ? undefined : text;
}

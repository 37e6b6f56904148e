import type { FieldErrors } from '@skiff/apimachinery';
import { nonNegative } from './validation.ts';

type Counts = Readonly<Record<string, unknown>>;

interface CountRules {
  /** None may be negative, in this order. */
  readonly counts: readonly string[];
  /** Which of them count a part of `replicas`. */
  readonly parts: readonly string[];
  /** How upstream names the other count in the last message. */
  readonly ready?: string;
}

const count = (status: Counts, field: string): number => {
  const value = status[field];
  return typeof value === 'number' ? value : 0;
};

/** Counts in the status of a workload. */
export function validateReplicaCounts(status: object, rules: CountRules, errors: FieldErrors): void {
  const counts = status as Counts;
  for (const field of rules.counts) nonNegative(errors, `status.${field}`, count(counts, field));
  const replicas = count(counts, 'replicas');
  for (const field of rules.parts) {
    if (count(counts, field) > replicas) errors.invalid(`status.${field}`, count(counts, field), 'cannot be greater than status.replicas');
  }
  if (!rules.parts.includes('availableReplicas')) return;
  const available = count(counts, 'availableReplicas');
  if (available > count(counts, 'readyReplicas')) {
    errors.invalid('status.availableReplicas', available, `cannot be greater than ${rules.ready ?? 'readyReplicas'}`);
  }
}

/** The counter that keeps names of ReplicaSets and ControllerRevisions apart only grows. */
export function validateCollisionCount(
  status: { collisionCount?: number } | undefined,
  old: { collisionCount?: number } | undefined,
  errors: FieldErrors,
): void {
  const before = old?.collisionCount;
  const now = status?.collisionCount;
  if (before !== undefined && (now === undefined || now < before))
    errors.invalid('status.collisionCount', now ?? 0, 'cannot be decremented');
}

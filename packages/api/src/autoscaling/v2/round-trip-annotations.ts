import type { DeepReadonly, ObjectMeta } from '@skiff/apimachinery';

/** Annotations in which autoscaling/v1 carries what it has no fields for. */
export const roundTrip = {
  metrics: 'autoscaling.alpha.kubernetes.io/metrics',
  currentMetrics: 'autoscaling.alpha.kubernetes.io/current-metrics',
  conditions: 'autoscaling.alpha.kubernetes.io/conditions',
  behavior: 'autoscaling.alpha.kubernetes.io/behavior',
} as const;

const all: readonly string[] = [
  ...Object.values(roundTrip),
  'autoscaling.alpha.kubernetes.io/scale-down-tolerance',
  'autoscaling.alpha.kubernetes.io/scale-up-tolerance',
];

/** The metadata without them; the same object when it has none. */
export function dropRoundTripAnnotations<T extends DeepReadonly<ObjectMeta>>(meta: T | undefined): T | undefined {
  const annotations = meta?.annotations;
  if (meta === undefined || annotations === undefined || !all.some((key) => annotations[key] !== undefined)) return meta;
  const kept = Object.entries(annotations).filter(([key]) => !all.includes(key));
  const { annotations: _dropped, ...rest } = meta;
  return (kept.length > 0 ? { ...rest, annotations: Object.fromEntries(kept) } : rest) as T;
}

/** The same in place, for objects that are v2 anyway. */
export function stripRoundTripAnnotations(meta: ObjectMeta | undefined): void {
  const annotations = dropRoundTripAnnotations(meta)?.annotations;
  if (meta === undefined) return;
  if (annotations === undefined) delete meta.annotations;
  else meta.annotations = annotations;
}

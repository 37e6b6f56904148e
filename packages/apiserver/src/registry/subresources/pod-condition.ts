/** A condition of a pod's status, as much of it as is set here. */
export interface PodCondition {
  type: string;
  status: string;
  reason?: string;
  message?: string;
  lastProbeTime?: string | null;
  lastTransitionTime?: string | null;
}

/** Sets a condition; its transition time only moves when the status does. */
export function setPodCondition(status: { conditions?: PodCondition[] }, condition: PodCondition, now: string): void {
  const conditions = status.conditions ?? [];
  const at = conditions.findIndex((c) => c.type === condition.type);
  const old = conditions[at];
  const next: PodCondition = {
    lastProbeTime: null,
    ...condition,
    lastTransitionTime: old?.status === condition.status ? (old.lastTransitionTime ?? now) : now,
  };
  status.conditions = at < 0 ? [...conditions, next] : conditions.map((c, i) => (i === at ? next : c));
}

export interface StatusCondition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
  readonly lastTransitionTime?: string | null;
  readonly lastUpdateTime?: string | null;
}

export const findCondition = <C extends { readonly type: string }>(conditions: readonly C[] | undefined, type: string): C | undefined =>
  conditions?.find((c) => c.type === type);

export const withoutCondition = <C extends { readonly type: string }>(conditions: readonly C[], type: string): C[] =>
  conditions.filter((c) => c.type !== type);

/**
 * Puts a condition at the end, unless one with its status and reason is there already: then nothing changes. The transition
 * time is kept when the status stays.
 */
export function setCondition<C extends StatusCondition>(conditions: readonly C[], condition: C): C[] {
  const current = conditions.find((c) => c.type === condition.type);
  if (current !== undefined && current.status === condition.status && current.reason === condition.reason) return [...conditions];
  const kept = current?.status === condition.status ? current.lastTransitionTime : undefined;
  return [...withoutCondition(conditions, condition.type), kept ? { ...condition, lastTransitionTime: kept } : condition];
}

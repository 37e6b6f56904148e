import type { PodStatus } from '@skiff/api';
import type { DeepReadonly, Json, JsonObject } from '@skiff/apimachinery';
import { isKubeletCondition } from './conditions.ts';

/** Fields of the status that the kubelet owns and may take away again. */
const removable = ['reason', 'message', 'podIP', 'hostIP', 'ephemeralContainerStatuses', 'initContainerStatuses'] as const;

export const sameJson = (a: unknown, b: unknown): boolean => {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return (a ?? undefined) === (b ?? undefined);
  if (Array.isArray(a) || Array.isArray(b)) {
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((x, i) => sameJson(x, b[i]));
  }
  const left = a as Record<string, unknown>;
  const right = b as Record<string, unknown>;
  for (const key of new Set([...Object.keys(left), ...Object.keys(right)])) if (!sameJson(left[key], right[key])) return false;
  return true;
};

/** Conditions that are there only while they hold. */
const passingConditions = ['PodResizePending', 'PodResizeInProgress'] as const;

/** Whether `next` says anything that `current` does not: conditions of others are not compared, `next` may have old ones. */
export function statusDiffers(current: DeepReadonly<PodStatus>, next: DeepReadonly<PodStatus>): boolean {
  const told = new Set([...(next.conditions ?? []).map((c) => c.type), ...passingConditions]);
  const strip = (s: DeepReadonly<PodStatus>): unknown => ({
    ...s,
    conditions: (s.conditions ?? [])
      .filter((c) => isKubeletCondition(c) && told.has(c.type))
      .map(({ lastProbeTime: _ignored, ...c }) => c)
      .sort((a, b) => (a.type < b.type ? -1 : 1)),
    resize: undefined,
    nominatedNodeName: undefined,
    resourceClaimStatuses: undefined,
    extendedResourceClaimStatus: undefined,
    // Absent and empty are the same on the wire.
    containerStatuses: normalizeStates(s.containerStatuses),
    initContainerStatuses: normalizeStates(s.initContainerStatuses),
    ephemeralContainerStatuses: normalizeStates(s.ephemeralContainerStatuses),
  });
  return !sameJson(strip(current), strip(next));
}

const normalizeStates = (list: DeepReadonly<PodStatus>['containerStatuses']): unknown =>
  list === undefined || list.length === 0
    ? undefined
    : list.map((s) => ({ ...s, lastState: s.lastState ?? {}, state: s.state ?? {}, resources: s.resources ?? {} }));

/**
 * The strategic merge patch that brings `current` (the API's) to `next`: conditions merge by type, so that others' stay; lists
 * merged by address get their stale entries deleted. `uid` keeps it from a pod of the same name.
 */
export function renderStatusPatch(uid: string, current: DeepReadonly<PodStatus>, next: DeepReadonly<PodStatus>): JsonObject {
  const status: Record<string, Json> = {};
  for (const [key, value] of Object.entries(next)) {
    if (key === 'conditions' || key === 'podIPs' || key === 'hostIPs') continue;
    if (!sameJson(value, (current as Record<string, unknown>)[key])) status[key] = value as Json;
  }
  for (const key of removable) if (next[key] === undefined && current[key] !== undefined) status[key] = null;
  // Others' conditions are theirs: what is known of them here may be old.
  const own = (next.conditions ?? []).filter(isKubeletCondition);
  const conditions = own.flatMap((c) => {
    const old = current.conditions?.find((o) => o.type === c.type);
    // Elements are merged: what went away has to be named.
    const gone = Object.keys(old ?? {}).filter((key) => !(key in c));
    return sameJson(c, old) ? [] : [{ ...c, ...Object.fromEntries(gone.map((key) => [key, null])) }];
  });
  const over = passingConditions.filter(
    (type) => current.conditions?.some((c) => c.type === type) === true && !next.conditions?.some((c) => c.type === type),
  );
  const changes = [...conditions, ...over.map((type) => ({ $patch: 'delete', type }))];
  if (changes.length > 0) status['conditions'] = changes as unknown as Json;
  for (const key of ['podIPs', 'hostIPs'] as const) {
    const wanted = next[key] ?? [];
    const stale = (current[key] ?? []).filter((o) => !wanted.some((w) => w.ip === o.ip));
    if (sameJson(wanted, current[key] ?? [])) continue;
    status[key] = [...wanted, ...stale.map((o) => ({ $patch: 'delete', ip: o.ip }))] as unknown as Json;
  }
  return { metadata: { uid }, status };
}

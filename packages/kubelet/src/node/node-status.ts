import type { ContainerImage, NodeCondition, NodeStatus } from '@skiff/api';
import type { DeepReadonly, JsonObject } from '@skiff/apimachinery';
import type { Image } from '@skiff/cri';
import { sameJson } from '../status/status-patch.ts';

/** What the API lists of a node's images at most, largest first. */
const maxImages = 50;
const maxNames = 5;

export const renderImages = (images: readonly Image[]): ContainerImage[] =>
  [...images]
    .filter((i) => i.repoTags.length + i.repoDigests.length > 0)
    .sort((a, b) => b.sizeBytes - a.sizeBytes)
    .slice(0, maxImages)
    .map((i) => ({ names: [...i.repoDigests, ...i.repoTags].slice(0, maxNames), sizeBytes: i.sizeBytes }));

const withoutHeartbeat = (list: readonly DeepReadonly<NodeCondition>[]): unknown => list.map(({ lastHeartbeatTime: _ignored, ...c }) => c);

/** Whether anything but heartbeats changed: conditions of others are not looked at, resources that others added neither. */
export function nodeStatusDiffers(current: DeepReadonly<NodeStatus>, next: NodeStatus): boolean {
  const ours = new Set((next.conditions ?? []).map((c) => c.type));
  const pick = (list: Readonly<Record<string, string>> | undefined, keys: readonly string[]): unknown =>
    Object.fromEntries(keys.map((k) => [k, list?.[k]]));
  const comparable = (s: DeepReadonly<NodeStatus>): unknown => ({
    addresses: s.addresses,
    daemonEndpoints: s.daemonEndpoints,
    nodeInfo: s.nodeInfo,
    images: s.images ?? [],
    volumesInUse: s.volumesInUse ?? [],
    runtimeHandlers: s.runtimeHandlers,
    capacity: pick(s.capacity, Object.keys(next.capacity ?? {})),
    allocatable: pick(s.allocatable, Object.keys(next.allocatable ?? {})),
    conditions: withoutHeartbeat((s.conditions ?? []).filter((c) => ours.has(c.type)).sort((a, b) => (a.type < b.type ? -1 : 1))),
  });
  return !sameJson(comparable(current), comparable(next));
}

/** Extended resources that somebody patched into the capacity are available in full. */
export function mergeExtendedResources(current: DeepReadonly<NodeStatus>, next: NodeStatus): NodeStatus {
  const extended = Object.entries(current.capacity ?? {}).filter(([name]) => name.includes('/') && next.capacity?.[name] === undefined);
  if (extended.length === 0) return next;
  const added = Object.fromEntries(extended);
  return { ...next, capacity: { ...next.capacity, ...added }, allocatable: { ...next.allocatable, ...added } };
}

/** The strategic merge patch to `next`: conditions merge by type; addresses are replaced as a whole. */
export function renderNodePatch(current: DeepReadonly<NodeStatus>, next: NodeStatus): JsonObject {
  const status: JsonObject = { conditions: next.conditions as unknown as JsonObject[] };
  for (const key of ['capacity', 'allocatable', 'daemonEndpoints', 'nodeInfo', 'images', 'runtimeHandlers', 'features'] as const) {
    if (!sameJson(current[key], next[key])) status[key] = next[key] as unknown as JsonObject;
  }
  if (!sameJson(current.addresses, next.addresses)) {
    status['addresses'] = [...(next.addresses as unknown as JsonObject[]), { $patch: 'replace' }];
  }
  // Its list has no merge key, and an empty one is told as none.
  if (!sameJson(current.volumesInUse ?? [], next.volumesInUse ?? [])) {
    status['volumesInUse'] = (next.volumesInUse ?? []).length === 0 ? null : [...(next.volumesInUse ?? [])];
  }
  return { status };
}

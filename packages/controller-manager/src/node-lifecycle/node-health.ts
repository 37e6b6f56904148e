import type { Lease, NodeCondition } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import { formatTime } from '@skiff/component-base';
import { findCondition } from '../conditions.ts';
import type { NodeView } from './taints.ts';

/** Conditions that only the kubelet knows. */
const kubeletConditions = ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure'] as const;

interface Seen {
  readonly renewTime: string | undefined;
  readonly heartbeat: string | undefined;
  /** On the tracker's own clock. */
  readonly atMs: number;
}

/**
 * How long each node has been silent, on a clock that only counts time during which this process itself could read and write
 * the API: an outage of the API is nobody's silence.
 */
export class HeartbeatTracker {
  readonly #seen = new Map<string, Seen>();
  #nowMs = 0;

  /** Time has passed in which heartbeats could have arrived. */
  advance(ms: number): void {
    this.#nowMs += ms;
  }
  /** A node's Lease or status as it is now. A change is a sign of life; a node that is new counts from now. */
  observe(node: NodeView, lease: DeepReadonly<Lease> | undefined): void {
    const name = node.metadata?.name ?? '';
    const renewTime = lease?.spec?.renewTime ?? undefined;
    const heartbeat = findCondition(node.status?.conditions ?? [], 'Ready')?.lastHeartbeatTime ?? undefined;
    const before = this.#seen.get(name);
    const alive =
      before === undefined ||
      (renewTime !== undefined && renewTime !== before.renewTime) ||
      (heartbeat !== undefined && heartbeat !== before.heartbeat);
    this.#seen.set(name, {
      renewTime: renewTime ?? before?.renewTime,
      heartbeat: heartbeat ?? before?.heartbeat,
      atMs: alive ? this.#nowMs : before.atMs,
    });
  }
  silentMs(name: string): number {
    const seen = this.#seen.get(name);
    return seen === undefined ? 0 : this.#nowMs - seen.atMs;
  }
  forget(name: string): void {
    this.#seen.delete(name);
  }
  names(): Iterable<string> {
    return this.#seen.keys();
  }
}

/** Conditions of a node that has fallen silent; undefined when they say so already. */
export function silentConditions(node: NodeView, nowMs: number): NodeCondition[] | undefined {
  const now = formatTime(nowMs);
  const conditions = ((node.status?.conditions ?? []) as readonly NodeCondition[]).map((c) => ({ ...c }));
  let changed = false;
  for (const type of kubeletConditions) {
    const current = conditions.find((c) => c.type === type);
    if (current === undefined) {
      changed = true;
      conditions.push({
        type,
        status: 'Unknown',
        reason: 'NodeStatusNeverUpdated',
        message: 'Kubelet never posted node status.',
        lastHeartbeatTime: node.metadata?.creationTimestamp ?? now,
        lastTransitionTime: now,
      });
    } else if (current.status !== 'Unknown') {
      changed = true;
      Object.assign(current, {
        status: 'Unknown',
        reason: 'NodeStatusUnknown',
        message: 'Kubelet stopped posting node status.',
        lastTransitionTime: now,
      });
    }
  }
  return changed ? conditions : undefined;
}

export const isNodeReady = (node: NodeView): boolean => findCondition(node.status?.conditions ?? [], 'Ready')?.status === 'True';

export type ZoneState = 'normal' | 'partial' | 'full';
const unhealthyShare = 0.55;
/** Zones up to this size don't evict at all while most of their nodes are down. */
const largeZone = 50;
const evictionsPerSecond = 0.1;
const reducedPerSecond = 0.01;

export function zoneState(ready: number, notReady: number): ZoneState {
  if (ready === 0 && notReady > 0) return 'full';
  return notReady > 2 && notReady / (notReady + ready) >= unhealthyShare ? 'partial' : 'normal';
}

/** Nodes of a zone that may get a NoExecute taint, per second. */
export const evictionRate = (state: ZoneState, size: number): number =>
  state !== 'partial' ? evictionsPerSecond : size > largeZone ? reducedPerSecond : 0;

export const zoneOf = (node: NodeView): string =>
  `${node.metadata?.labels?.['topology.kubernetes.io/region'] ?? ''}/${node.metadata?.labels?.['topology.kubernetes.io/zone'] ?? ''}`;

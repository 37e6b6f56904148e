import type { Lease, NodeCondition } from '@skiff/api';
import { compareResourceVersions, type DeepReadonly } from '@skiff/apimachinery';
import { formatTime } from '@skiff/component-base';
import { findCondition } from '../conditions.ts';
import type { NodeView } from './taints.ts';

/** Conditions that only the kubelet knows. */
const kubeletConditions = ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure'] as const;

/** A mark that its writer renews, and the version of the object that carries it. */
interface Mark {
  readonly value: string;
  readonly version: string;
}
interface Seen {
  readonly lease: Mark | undefined;
  readonly status: Mark | undefined;
  /** On the tracker's own clock. */
  readonly atMs: number;
}

/**
 * The newer of two marks: by the versions of their objects, since a node's clock may jump back, and since an object read directly
 * may be ahead of the cache.
 */
function newer(before: Mark | undefined, value: string | undefined, version: string | undefined): Mark | undefined {
  if (value === undefined) return before;
  const now = { value, version: version ?? '0' };
  return before === undefined || compareResourceVersions(now.version, before.version) > 0 ? now : before;
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
  /** A node's Lease and status as they are now. A renewed mark is a sign of life; a node that is new counts from now. */
  observe(node: NodeView, lease: DeepReadonly<Lease> | undefined): void {
    const name = node.metadata?.name ?? '';
    const heartbeat = findCondition(node.status?.conditions ?? [], 'Ready')?.lastHeartbeatTime ?? undefined;
    const before = this.#seen.get(name);
    const leaseMark = newer(before?.lease, lease?.spec?.renewTime ?? undefined, lease?.metadata?.resourceVersion);
    const statusMark = newer(before?.status, heartbeat, node.metadata?.resourceVersion);
    const alive = before === undefined || leaseMark?.value !== before.lease?.value || statusMark?.value !== before.status?.value;
    this.#seen.set(name, { lease: leaseMark, status: statusMark, atMs: alive ? this.#nowMs : before.atMs });
  }
  silentMs(name: string): number {
    const seen = this.#seen.get(name);
    return seen === undefined ? 0 : this.#nowMs - seen.atMs;
  }
  /** All begin anew: what was counted may have been our own deafness. */
  forgive(): void {
    for (const [name, seen] of this.#seen) this.#seen.set(name, { ...seen, atMs: this.#nowMs });
  }
  forget(name: string): void {
    this.#seen.delete(name);
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

export type Readiness = 'True' | 'False' | 'Unknown' | undefined;
/** The status of the condition Ready; undefined when nobody ever told. */
export const readinessOf = (node: NodeView): Readiness => findCondition(node.status?.conditions ?? [], 'Ready')?.status as Readiness;
export const isNodeReady = (node: NodeView): boolean => readinessOf(node) === 'True';

import { findCondition } from '../conditions.ts';
import type { NodeView } from './taints.ts';

/** Nodes of the control plane are never removed: members of etcd have to be taken out with care, by a person. */
const controlPlaneLabels = ['node-role.kubernetes.io/control-plane', 'node-role.kubernetes.io/etcd'] as const;

const isSilent = (node: NodeView): boolean => findCondition(node.status?.conditions ?? [], 'Ready')?.status === 'Unknown';
const mayGo = (node: NodeView): boolean => controlPlaneLabels.every((label) => node.metadata?.labels?.[label] === undefined);

/**
 * How long nodes have been silent without a break, in time that this process has seen itself: a controller that was stopped or
 * could not read the API in between has seen nothing, and waits longer. Nothing counts while no node at all can be heard.
 */
export class SilenceCounter {
  readonly #silentMs = new Map<string, number>();

  /** `passedMs` since the last look. Returns the nodes that have been silent for `limitMs`. */
  look(nodes: readonly NodeView[], passedMs: number, limitMs: number): readonly NodeView[] {
    const keyOf = (n: NodeView): string => `${n.metadata?.name ?? ''} ${n.metadata?.uid ?? ''}`;
    const silent = new Map(nodes.filter(isSilent).map((n) => [keyOf(n), n]));
    for (const key of this.#silentMs.keys()) if (!silent.has(key)) this.#silentMs.delete(key);
    const heard = silent.size < nodes.length;
    const due: NodeView[] = [];
    for (const [key, node] of silent) {
      const before = this.#silentMs.get(key);
      const now = before === undefined || !heard ? (before ?? 0) : before + passedMs;
      this.#silentMs.set(key, now);
      if (heard && now >= limitMs && mayGo(node)) due.push(node);
    }
    return due;
  }
  get waiting(): boolean {
    return this.#silentMs.size > 0;
  }
}

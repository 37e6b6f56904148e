import { podRequest } from '../pod/resource-fit.ts';
import type { PodSnapshot } from '../pod/pod-snapshot.ts';
import type { PodUsage } from '../stats/pod-usage.ts';
import { isMemorySignal, resourceOf, type Signal } from './signals.ts';

export type UsageOf = (pod: PodSnapshot) => PodUsage | undefined;
type Compare = (a: PodSnapshot, b: PodSnapshot) => number;

const requestOf = (pod: PodSnapshot, resource: string): number => podRequest(pod, resource) / 1000;
const trueFirst = (a: boolean, b: boolean): number => Number(b) - Number(a);

/** Pods of which nothing is known come first, as upstream has it. */
const byFigure =
  (usage: UsageOf, compare: (a: number, b: number) => number, figure: (pod: PodSnapshot, u: PodUsage) => number): Compare =>
  (a, b) => {
    const [ua, ub] = [usage(a), usage(b)];
    if (ua === undefined || ub === undefined) return trueFirst(ua === undefined, ub === undefined);
    return compare(figure(a, ua), figure(b, ub));
  };
const larger = (a: number, b: number): number => b - a;
const above = (a: number, b: number): number => trueFirst(a > 0, b > 0);
const byPriority: Compare = (a, b) => (a.spec.priority ?? 0) - (b.spec.priority ?? 0);

/** What counts for a signal of disks; images and writable layers lie elsewhere when the engine has a disk of its own. */
function diskUse(u: PodUsage, signal: Signal, dedicatedImageFs: boolean): number {
  const parts = resourceOf(signal) === 'inodes' ? u.inodes : u.disk;
  if (parts === undefined) return 0;
  const local = parts.logs + parts.volumes;
  if (!dedicatedImageFs) return parts.writable + local;
  return signal.startsWith('nodefs.') ? local : parts.writable;
}

/** Victims in order: who uses more than asked for, then the less important, then who exceeds the most (KEP-2162's order). Pure. */
export function rankVictims(
  pods: readonly PodSnapshot[],
  signal: Signal,
  o: { readonly usage: UsageOf; readonly dedicatedImageFs: boolean },
): readonly PodSnapshot[] {
  const { usage } = o;
  const order: Compare[] = [];
  if (signal === 'pid.available')
    order.push(
      byPriority,
      byFigure(usage, larger, (_p, u) => u.processes),
    );
  else {
    const resource = isMemorySignal(signal) ? 'memory' : 'ephemeral-storage';
    const asked = resourceOf(signal) === 'inodes' ? () => 0 : (p: PodSnapshot) => requestOf(p, resource);
    const used = isMemorySignal(signal) ? (u: PodUsage) => u.memoryBytes : (u: PodUsage) => diskUse(u, signal, o.dedicatedImageFs);
    const excess = (p: PodSnapshot, u: PodUsage): number => used(u) - asked(p);
    order.push(byFigure(usage, above, excess), byPriority, byFigure(usage, larger, excess));
  }
  return [...pods].sort((a, b) => {
    for (const compare of order) {
      const verdict = compare(a, b);
      if (verdict !== 0) return verdict;
    }
    return 0;
  });
}

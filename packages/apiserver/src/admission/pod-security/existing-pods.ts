import type { Pod } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import { reasonsOf, violationsOf } from './evaluate.ts';
import { type LevelVersion, textOf } from './policy.ts';

const maxPods = 3000;
/** For all of them: checks run on the event loop. */
const maxMs = 50;

/** One pod of each controller comes first: the others are most likely alike. */
function inOrderOfInterest(pods: readonly DeepReadonly<Pod>[]): DeepReadonly<Pod>[] {
  const seen = new Set<string | undefined>();
  const [first, others]: [DeepReadonly<Pod>[], DeepReadonly<Pod>[]] = [[], []];
  for (const p of pods) {
    const controller = p.metadata?.ownerReferences?.find((o) => o.controller === true)?.uid;
    (controller !== undefined && seen.has(controller) ? others : first).push(p);
    seen.add(controller);
  }
  return [...first, ...others];
}

/** Milliseconds from now on, of the clock or of CPU, whichever are fewer: what the machine does for others does not count. */
function timeSpent(): () => number {
  const [startedMs, cpu] = [performance.now(), process.cpuUsage()];
  return () => {
    const { user, system } = process.cpuUsage(cpu);
    return Math.min(performance.now() - startedMs, (user + system) / 1000);
  };
}

/** What is told to who makes the level of a namespace stricter, about the pods that are there: they stay. */
export function existingPodWarnings(
  namespace: string,
  enforce: LevelVersion,
  pods: readonly DeepReadonly<Pod>[],
  nowMs: () => number = timeSpent(),
): string[] {
  const names = new Map<string, string[]>();
  const untilMs = nowMs() + maxMs;
  let checkedPods = 0;
  for (const p of inOrderOfInterest(pods).slice(0, maxPods)) {
    const violations = violationsOf(enforce, p.metadata ?? {}, p.spec ?? {});
    checkedPods += 1;
    if (violations.length > 0) {
      const text = reasonsOf(violations);
      names.set(text, [...(names.get(text) ?? []), p.metadata?.name ?? '']);
    }
    if (nowMs() > untilMs) break;
  }
  const others = (n: number): string => (n === 0 ? '' : ` (and ${n} other ${n === 1 ? 'pod' : 'pods'})`);
  const found = [...names].map(([text, list]) => `${list.toSorted()[0]}${others(list.length - 1)}: ${text}`).toSorted();
  return [
    ...(checkedPods < pods.length
      ? [`new PodSecurity enforce level only checked against the first ${checkedPods} of ${pods.length} existing pods`]
      : []),
    ...(found.length > 0
      ? [`existing pods in namespace ${JSON.stringify(namespace)} violate the new PodSecurity enforce level "${textOf(enforce)}"`]
      : []),
    ...found,
  ];
}

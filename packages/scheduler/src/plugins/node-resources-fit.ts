import { nodesOf, podsOf } from '../framework/node-change.ts';
import type { NodeInfo } from '../framework/node-info.ts';
import { maxNodeScore, type SchedulerPlugin } from '../framework/plugin.ts';
import type { PodInfo } from '../framework/pod-info.ts';
import { computePodRequests, type Resources } from '../framework/resources.ts';
import { ok, type Reason, type Verdict } from '../framework/verdict.ts';

/**
 * A node has room when requests fit into what is allocatable; limits and real use don't count. Among nodes with room, those with
 * the larger free share are better (LeastAllocated over cpu and memory).
 */
export const nodeResourcesFit: SchedulerPlugin = {
  name: 'NodeResourcesFit',
  requeueOn: [
    { resource: 'AssignedPod', actions: ['delete'] },
    {
      resource: 'AssignedPod',
      actions: ['update-requests'],
      helps: (pod, event) => {
        const { before, after } = podsOf(event);
        return (
          before === undefined || after === undefined || freesSomething(pod.requests, computePodRequests(before), computePodRequests(after))
        );
      },
    },
    { resource: 'UnscheduledPod', actions: ['update-requests'], helps: (pod, event) => podsOf(event).after?.metadata?.uid === pod.uid },
    {
      resource: 'Node',
      actions: ['add', 'update-allocatable'],
      helps: (pod, event) => {
        const { before, after } = nodesOf(event);
        if (after === undefined || fit(pod, after).code !== 'ok') return false;
        return (
          before === undefined ||
          after.allowedPods > before.allowedPods ||
          freesSomething(pod.requests, after.allocatable, before.allocatable)
        );
      },
    },
  ],
  filter: fit,
  score: (pod, { allocatable, scoringRequested }) => {
    const { milliCpu, memory } = pod.scoringRequests;
    const shares: number[] = [];
    if (allocatable.milliCpu > 0) shares.push(freeScore(scoringRequested.milliCpu + milliCpu, allocatable.milliCpu));
    if (allocatable.memory > 0) shares.push(freeScore(scoringRequested.memory + memory, allocatable.memory));
    return shares.length === 0 ? 0 : Math.trunc(shares.reduce((a, b) => a + b, 0) / shares.length);
  },
};

const freeScore = (requested: number, capacity: number): number =>
  requested > capacity ? 0 : Math.trunc(((capacity - requested) * maxNodeScore) / capacity);

function fit(pod: PodInfo, node: NodeInfo): Verdict {
  const { requests } = pod;
  const { allocatable, requested } = node;
  let reasons: Reason[] | undefined;
  let isTooBig = false;
  const check = (name: string, wanted: number, used: number, capacity: number): void => {
    if (wanted <= 0 || wanted <= capacity - used) return;
    (reasons ??= []).push({ text: `Insufficient ${name}`, numbers: { requested: wanted, used, capacity } });
    isTooBig ||= wanted > capacity;
  };
  if (node.pods.size + 1 > node.allowedPods) {
    reasons = [{ text: 'Too many pods', numbers: { requested: 1, used: node.pods.size, capacity: node.allowedPods } }];
  }
  check('cpu', requests.milliCpu, requested.milliCpu, allocatable.milliCpu);
  check('memory', requests.memory, requested.memory, allocatable.memory);
  check('ephemeral-storage', requests.ephemeralStorage, requested.ephemeralStorage, allocatable.ephemeralStorage);
  for (const [name, wanted] of requests.scalar) check(name, wanted, requested.scalar.get(name) ?? 0, allocatable.scalar.get(name) ?? 0);
  if (reasons === undefined) return ok;
  return { code: isTooBig ? 'unresolvable' : 'unschedulable', reasons };
}

/** Whether anything that is wanted is more in `larger` than in `smaller`. */
function freesSomething(wanted: Readonly<Resources>, larger: Readonly<Resources>, smaller: Readonly<Resources>): boolean {
  return (
    (wanted.milliCpu > 0 && larger.milliCpu > smaller.milliCpu) ||
    (wanted.memory > 0 && larger.memory > smaller.memory) ||
    (wanted.ephemeralStorage > 0 && larger.ephemeralStorage > smaller.ephemeralStorage) ||
    [...wanted.scalar].some(([name, amount]) => amount > 0 && (larger.scalar.get(name) ?? 0) > (smaller.scalar.get(name) ?? 0))
  );
}

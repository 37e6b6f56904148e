import type { DaemonSetStatus, Node } from '@skiff/api';
import { scaledValue, type DeepReadonly } from '@skiff/apimachinery';
import { isAvailable, isReady, isTerminal } from '../pods/pod-state.ts';
import { byScheduledAndAge, isUpdated, nodeShouldRun, targetNode, type DaemonSetView, type PodView } from './daemon-pod.ts';

type NodeView = DeepReadonly<Node>;

export interface DaemonSetInput {
  readonly set: DaemonSetView;
  readonly nodes: readonly NodeView[];
  /** Claimed pods, all phases. */
  readonly pods: readonly PodView[];
  /** Hash of the current revision. */
  readonly hash: string;
  readonly nowMs: number;
}
export interface DaemonSetPlan {
  /** Names of nodes that need a pod. */
  readonly create: readonly string[];
  readonly remove: readonly PodView[];
  /** Those of `remove` that ended by themselves. */
  readonly ended: ReadonlySet<PodView>;
}

/** Pods by the node they are meant for. What has ended and is going is out of the picture. */
export function podsByNode(pods: readonly PodView[]): Map<string, PodView[]> {
  const result = new Map<string, PodView[]>();
  for (const pod of pods) {
    if (isTerminal(pod) && pod.metadata?.deletionTimestamp !== undefined) continue;
    const node = targetNode(pod);
    if (node === undefined) continue;
    result.set(node, [...(result.get(node) ?? []), pod]);
  }
  return result;
}

const scaled = (value: number | string | undefined, total: number): number => (value === undefined ? 0 : scaledValue(value, total, true));
const rollingUpdate = (set: DaemonSetView) =>
  set.spec?.updateStrategy?.type === 'RollingUpdate' ? set.spec.updateStrategy.rollingUpdate : undefined;
const surgeOf = (set: DaemonSetView, total: number): number => scaled(rollingUpdate(set)?.maxSurge, total);
const going = (pod: PodView): boolean => pod.metadata?.deletionTimestamp !== undefined;

/** One pod on each node that should have one, none elsewhere. */
export function planPlacement(input: DaemonSetInput): DaemonSetPlan {
  const create: string[] = [];
  const remove: PodView[] = [];
  const ended = new Set<PodView>();
  const byNode = podsByNode(input.pods);
  for (const node of input.nodes) {
    const name = node.metadata?.name ?? '';
    const { run, stay } = nodeShouldRun(input.set, node);
    const present = byNode.get(name);
    if (run && present === undefined) create.push(name);
    else if (!stay) remove.push(...(present ?? []).filter((pod) => !going(pod)));
    else if (present !== undefined) {
      const alive = present.filter((pod) => !going(pod));
      for (const pod of alive.filter(isTerminal)) {
        ended.add(pod);
        remove.push(pod);
      }
      const running = alive.filter((pod) => !isTerminal(pod)).sort(byScheduledAndAge);
      if (surgeOf(input.set, 1) === 0) remove.push(...running.slice(1));
      else if (running.length === 0) {
        if (run) create.push(name);
      } else remove.push(...surplus(running, input));
    }
  }
  // Made for a node that is gone before they were bound.
  const known = new Set(input.nodes.map((n) => n.metadata?.name));
  for (const [name, pods] of byNode) if (!known.has(name)) remove.push(...pods.filter((pod) => !pod.spec?.nodeName && !going(pod)));
  return { create, remove, ended };
}

/** While surging a node may have one old and one new pod; the old one goes when the new one does its work. */
function surplus(running: readonly PodView[], { set, hash, nowMs }: DaemonSetInput): readonly PodView[] {
  if (running.length <= 1) return [];
  const isNew = (pod: PodView): boolean => isUpdated(set, pod, hash);
  const [newest, oldest] = [running.find(isNew), running.find((pod) => !isNew(pod))];
  const extra = running.filter((pod) => pod !== newest && pod !== oldest);
  if (newest !== undefined && oldest !== undefined && (!isReady(oldest) || isAvailable(newest, set.spec?.minReadySeconds ?? 0, nowMs)))
    extra.push(oldest);
  return extra;
}

function limits({ set, nodes }: DaemonSetInput): { surge: number; unavailable: number; desired: number } {
  const desired = nodes.filter((node) => nodeShouldRun(set, node).run).length;
  const surge = surgeOf(set, desired);
  const unavailable = scaled(rollingUpdate(set)?.maxUnavailable, desired);
  return { surge, desired, unavailable: desired > 0 && surge === 0 && unavailable === 0 ? 1 : unavailable };
}

/** The old and the new pod of a node; undefined when there are more, which placement sorts out first. */
function pairOn(pods: readonly PodView[], input: DaemonSetInput): { old?: PodView; fresh?: PodView } | undefined {
  const alive = pods.filter((pod) => !going(pod));
  const fresh = alive.filter((pod) => isUpdated(input.set, pod, input.hash));
  const old = alive.filter((pod) => !isUpdated(input.set, pod, input.hash));
  if (fresh.length > 1 || old.length > 1) return undefined;
  return { ...(old[0] === undefined ? {} : { old: old[0] }), ...(fresh[0] === undefined ? {} : { fresh: fresh[0] }) };
}

/** The next step of a rolling update; to be taken when placement has nothing to do. */
export function planRollingUpdate(input: DaemonSetInput): Pick<DaemonSetPlan, 'create' | 'remove'> {
  const { surge, unavailable, desired } = limits(input);
  const byNode = podsByNode(input.pods);
  const shouldRun = new Set(input.nodes.filter((node) => nodeShouldRun(input.set, node).run).map((n) => n.metadata?.name ?? ''));
  for (const name of shouldRun) if (!byNode.has(name)) byNode.set(name, []);
  const available = (pod: PodView): boolean => isAvailable(pod, input.set.spec?.minReadySeconds ?? 0, input.nowMs);
  return surge === 0
    ? replaceInPlace(byNode, input, { unavailable, available })
    : replaceWithSurge(byNode, input, { surge, desired, shouldRun, available });
}

function replaceInPlace(
  byNode: ReadonlyMap<string, PodView[]>,
  input: DaemonSetInput,
  o: { unavailable: number; available: (pod: PodView) => boolean },
): Pick<DaemonSetPlan, 'create' | 'remove'> {
  const broken: PodView[] = [];
  const candidates: PodView[] = [];
  let missing = 0;
  for (const pods of byNode.values()) {
    const pair = pairOn(pods, input);
    if (pair === undefined || (pair.old === undefined) === (pair.fresh === undefined)) missing += 1;
    else if (pair.fresh !== undefined) missing += o.available(pair.fresh) ? 0 : 1;
    else if (pair.old !== undefined && o.available(pair.old)) candidates.push(pair.old);
    else if (pair.old !== undefined) {
      // Replacing what is down costs nothing.
      broken.push(pair.old);
      missing += 1;
    }
  }
  return { create: [], remove: [...broken, ...candidates.slice(0, Math.max(0, o.unavailable - missing))] };
}

function replaceWithSurge(
  byNode: ReadonlyMap<string, PodView[]>,
  input: DaemonSetInput,
  o: { surge: number; desired: number; shouldRun: ReadonlySet<string>; available: (pod: PodView) => boolean },
): Pick<DaemonSetPlan, 'create' | 'remove'> {
  const remove: PodView[] = [];
  const retired: PodView[] = [];
  const allowed: string[] = [];
  const candidates: string[] = [];
  let surging = 0;
  let availableNodes = 0;
  for (const [name, pods] of byNode) {
    const pair = pairOn(pods, input);
    if (pair === undefined) {
      surging += 1;
      continue;
    }
    const { old, fresh } = pair;
    const counted = old ?? fresh;
    if (counted !== undefined && o.available(counted)) availableNodes += 1;
    if (old === undefined) continue;
    if (fresh !== undefined) {
      if (o.available(fresh)) remove.push(old);
      else surging += 1;
    } else if (!o.shouldRun.has(name)) (o.available(old) ? retired : remove).push(old);
    else (o.available(old) ? candidates : allowed).push(name);
  }
  remove.push(...retired.slice(0, Math.max(0, availableNodes - o.desired)));
  return { remove, create: [...allowed, ...candidates.slice(0, Math.max(0, o.surge - surging))] };
}

export function computeDaemonSetStatus(input: DaemonSetInput, collisionCount: number | undefined): DaemonSetStatus {
  const byNode = podsByNode(input.pods);
  const counts = { desired: 0, current: 0, misscheduled: 0, ready: 0, updated: 0, available: 0 };
  for (const node of input.nodes) {
    const pods = byNode.get(node.metadata?.name ?? '') ?? [];
    const [pod] = [...pods].sort(byScheduledAndAge);
    if (!nodeShouldRun(input.set, node).run) {
      if (pod !== undefined) counts.misscheduled += 1;
      continue;
    }
    counts.desired += 1;
    if (pod === undefined) continue;
    counts.current += 1;
    if (isReady(pod)) counts.ready += 1;
    if (isAvailable(pod, input.set.spec?.minReadySeconds ?? 0, input.nowMs)) counts.available += 1;
    if (isUpdated(input.set, pod, input.hash)) counts.updated += 1;
  }
  const conditions = input.set.status?.conditions;
  return {
    desiredNumberScheduled: counts.desired,
    currentNumberScheduled: counts.current,
    numberMisscheduled: counts.misscheduled,
    numberReady: counts.ready,
    updatedNumberScheduled: counts.updated,
    numberAvailable: counts.available,
    numberUnavailable: counts.desired - counts.available,
    observedGeneration: input.set.metadata?.generation ?? 0,
    ...(collisionCount === undefined ? {} : { collisionCount }),
    ...(conditions === undefined ? {} : { conditions: structuredClone(conditions) as NonNullable<DaemonSetStatus['conditions']> }),
  };
}

export function sameDaemonSetStatus(a: DaemonSetView['status'], b: DaemonSetStatus): boolean {
  const numbers = [
    'desiredNumberScheduled',
    'currentNumberScheduled',
    'numberMisscheduled',
    'numberReady',
    'updatedNumberScheduled',
    'numberAvailable',
    'numberUnavailable',
    'observedGeneration',
    'collisionCount',
  ] as const;
  return numbers.every((name) => (a?.[name] ?? 0) === (b[name] ?? 0));
}

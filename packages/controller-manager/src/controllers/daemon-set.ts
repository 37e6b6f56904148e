import { controllerRevision, daemonSet as daemonSets, node as nodes, pod as pods, type DaemonSet } from '@skiff/api';
import { keyOf } from '@skiff/apimachinery';
import { controllerOf, defineController, LruCache, mapped, ownedBy, primary, type ReconcileContext } from '@skiff/client';
import { claimChildren } from '../claim.ts';
import { daemonPod, nodeShouldRun, targetNode, type DaemonSetView, type PodView } from '../daemon-set/daemon-pod.ts';
import {
  computeDaemonSetStatus,
  planPlacement,
  planRollingUpdate,
  sameDaemonSetStatus,
  type DaemonSetInput,
} from '../daemon-set/plan-daemon-set.ts';
import type { ControllerDescriptor } from '../descriptor.ts';
import {
  byRevisionNumber,
  createRevision,
  holds,
  renumber,
  revisionHashLabel,
  truncateHistory,
  type RevisionView,
} from '../history/controller-history.ts';
import { isEmptySelector, labelSelectorMatcher } from '../label-selector.ts';
import { byControllerUid, controllerUidIndex } from '../owner-references.ts';
import { asError, forAll, podControl } from '../pods/pod-control.ts';
import { nextAvailabilityMs } from '../pods/pod-state.ts';
import { slowStart } from '../pods/slow-start.ts';

const burstPods = 250;
const failedBackoffMs = { initial: 1_000, max: 15 * 60_000 };

/** The revision of the current template, made or renumbered if need be, and the others. */
async function syncRevisions(
  set: DaemonSetView,
  revisions: readonly RevisionView[],
  run: ReconcileContext,
): Promise<{ current: RevisionView; old: RevisionView[]; collisionCount: number | undefined }> {
  const template = set.spec?.template;
  const same = revisions.filter((r) => holds(r, template)).sort(byRevisionNumber);
  const kept = same.at(-1);
  const old = revisions.filter((r) => r !== kept);
  const number = Math.max(0, ...old.filter((r) => !same.includes(r)).map((r) => r.revision)) + 1;
  const collisionCount = set.status?.collisionCount;
  if (kept === undefined) {
    const labels = (hash: string): Record<string, string> => ({ ...template?.metadata?.labels, [revisionHashLabel]: hash });
    const created = await createRevision({ owner: set, resource: daemonSets, template, collisionCount, labels }, number, run);
    return { current: created.revision, old, collisionCount: created.collisionCount };
  }
  return { current: kept.revision < number ? await renumber(kept, number, run) : kept, old, collisionCount };
}

/** Runs one pod of a DaemonSet on each node it is meant for, and replaces them by rolling update. */
export const daemonSetController: ControllerDescriptor = {
  name: 'daemonset-controller',
  define: () =>
    defineController({
      name: 'daemonset-controller',
      concurrency: 2,
      sources: [
        primary(daemonSets),
        ownedBy(daemonSets, pods),
        ownedBy(daemonSets, controllerRevision),
        mapped(pods, (pod, { informers }) =>
          controllerOf(pod) !== undefined || pod.metadata?.deletionTimestamp !== undefined
            ? []
            : informers
                .informer(daemonSets)
                .list(pod.metadata?.namespace)
                .filter((s) => labelSelectorMatcher(s.spec?.selector)(pod.metadata?.labels))
                .map((s) => keyOf(s)),
        ),
        mapped(
          nodes,
          (node, { informers }) => {
            const sets = informers.informer(daemonSets).list();
            if (sets.length === 0) return [];
            // Those that should run there, and those that have a pod there.
            const present = new Set(
              informers
                .informer(pods)
                .list()
                .filter((p) => targetNode(p) === node.metadata?.name)
                .map((p) => controllerOf(p)?.uid),
            );
            return sets.filter((s) => present.has(s.metadata?.uid) || nodeShouldRun(s, node).run).map((s) => keyOf(s));
          },
          {
            changed: (a, b) =>
              JSON.stringify([a.metadata?.labels, a.spec?.taints, a.spec?.unschedulable]) !==
              JSON.stringify([b.metadata?.labels, b.spec?.taints, b.spec?.unschedulable]),
          },
        ),
      ],
      create: ({ informers, clock, events, enqueueAfter }) => {
        const setInformer = informers.informer(daemonSets);
        const podInformer = informers.informer(pods);
        const nodeInformer = informers.informer(nodes);
        const revisionInformer = informers.informer(controllerRevision);
        podInformer.addIndex(controllerUidIndex, byControllerUid);
        revisionInformer.addIndex(controllerUidIndex, byControllerUid);
        const failures = new LruCache<string, { delayMs: number; atMs: number }>(4096);

        /** Whether a pod that ended may be replaced now: one that fails again and again waits longer and longer. */
        const mayReplace = (set: DaemonSetView, pod: PodView): boolean => {
          if (pod.status?.phase !== 'Failed') return true;
          const key = `${set.metadata?.uid ?? ''}/${set.status?.observedGeneration ?? 0}/${targetNode(pod) ?? ''}`;
          const nowMs = clock.monotonicMs();
          const known = failures.get(key);
          if (known !== undefined && nowMs - known.atMs < known.delayMs) {
            enqueueAfter(keyOf(set), known.atMs + known.delayMs - nowMs);
            return false;
          }
          const forgotten = known === undefined || nowMs - known.atMs > 2 * failedBackoffMs.max;
          failures.set(key, {
            atMs: nowMs,
            delayMs: forgotten ? failedBackoffMs.initial : Math.min(known.delayMs * 2, failedBackoffMs.max),
          });
          return true;
        };

        const carryOut = async (
          input: DaemonSetInput,
          plan: { create: readonly string[]; remove: readonly PodView[] },
          run: ReconcileContext,
        ): Promise<number> => {
          const control = podControl(input.set, events, run);
          let changed = 0;
          const nodesToFill = plan.create.slice(0, burstPods);
          const { error } = await slowStart(nodesToFill.length, async (i) => {
            if (await control.create(daemonPod(input.set, nodesToFill[i] ?? '', input.hash))) changed += 1;
          });
          changed += await forAll(plan.remove.slice(0, burstPods), control.remove);
          if (error !== undefined) throw asError(error);
          return changed;
        };

        return async (key, run) => {
          const set = setInformer.get(key);
          if (set === undefined || set.metadata?.deletionTimestamp !== undefined) return undefined;
          if (set.spec !== undefined && isEmptySelector(set.spec.selector)) {
            events.event(set, 'Warning', 'SelectingAll', 'This daemon set is selecting all pods. A non-empty selector is required.');
            return undefined;
          }
          const matches = labelSelectorMatcher(set.spec?.selector);
          const uid = set.metadata?.uid ?? '';
          const claim = { owner: set, ownerResource: daemonSets, client: run.client, signal: run.signal };
          const of = <T>(informer: { byIndex(index: string, value: string): readonly T[] }): readonly T[] => [
            ...informer.byIndex(controllerUidIndex, uid),
            ...informer.byIndex(controllerUidIndex, `orphan/${key.namespace ?? ''}`),
          ];
          const revisions = await claimChildren(of(revisionInformer), {
            ...claim,
            childResource: controllerRevision,
            matches: (r) => matches(r.metadata?.labels),
          });
          const { current, old, collisionCount } = await syncRevisions(set, revisions, run);
          const claimed = await claimChildren(of(podInformer), {
            ...claim,
            childResource: pods,
            matches: (p) => matches(p.metadata?.labels),
          });
          const input: DaemonSetInput = {
            set,
            nodes: nodeInformer.list(),
            pods: claimed,
            hash: current.metadata?.labels?.[revisionHashLabel] ?? '',
            nowMs: clock.now(),
          };

          const placement = planPlacement(input);
          const remove = placement.remove.filter((pod) => !placement.ended.has(pod) || mayReplace(set, pod));
          for (const pod of remove.filter((p) => placement.ended.has(p))) {
            const where = `${keyOf(pod)} on node ${targetNode(pod) ?? ''}`;
            if (pod.status?.phase === 'Failed')
              events.event(set, 'Warning', 'FailedDaemonPod', `Found failed daemon pod ${where}, will try to kill it`);
            else events.event(set, 'Normal', 'SucceededDaemonPod', `Found succeeded daemon pod ${where}, will try to delete it`);
          }
          let failure: unknown;
          try {
            let changed = await carryOut(input, { create: placement.create, remove }, run);
            if (changed === 0 && set.spec?.updateStrategy?.type === 'RollingUpdate')
              changed = await carryOut(input, planRollingUpdate(input), run);
            // The caches don't hold the change yet; its arrival brings the key back.
            if (changed > 0) return undefined;
            const live = new Set(claimed.map((p) => p.metadata?.labels?.[revisionHashLabel]));
            await truncateHistory(
              { old, limit: set.spec?.revisionHistoryLimit ?? 10, isLive: (r) => live.has(r.metadata?.labels?.[revisionHashLabel]) },
              run,
            );
          } catch (error) {
            failure = error;
          }
          const status = computeDaemonSetStatus(input, collisionCount);
          if (!sameDaemonSetStatus(set.status, status))
            await run.client.updateStatus(daemonSets, { ...(structuredClone(set) as DaemonSet), status }, { signal: run.signal });
          if (failure !== undefined) throw asError(failure);
          const minReadySeconds = set.spec?.minReadySeconds ?? 0;
          const nextMs = minReadySeconds === 0 ? undefined : nextAvailabilityMs(claimed, minReadySeconds, input.nowMs);
          return nextMs === undefined ? undefined : { requeueAfterMs: nextMs + 1 };
        };
      },
    }),
};

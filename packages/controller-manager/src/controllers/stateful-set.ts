import {
  controllerRevision,
  persistentVolumeClaim as claims,
  pod as pods,
  statefulSet as statefulSets,
  type PersistentVolumeClaim,
  type Pod,
  type StatefulSet,
} from '@skiff/api';
import { hasReason, keyOf } from '@skiff/apimachinery';
import { controllerOf, defineController, mapped, ownedBy, primary, type ControllerContext, type ReconcileContext } from '@skiff/client';
import { claimChildren } from '../claim.ts';
import type { ControllerDescriptor } from '../descriptor.ts';
import {
  byRevisionNumber,
  createRevision,
  holds,
  renumber,
  revisionHashLabel,
  templateOf,
  truncateHistory,
  type RevisionView,
} from '../history/controller-history.ts';
import { labelSelectorMatcher } from '../label-selector.ts';
import { byControllerUid, controllerUidIndex } from '../owner-references.ts';
import { messageOf } from '../pods/pod-control.ts';
import { nextAvailabilityMs } from '../pods/pod-state.ts';
import { computeClaimOwners, hasForeignController, hasStalePod, retentionPolicy } from '../stateful-set/claim-retention.ts';
import {
  claimsOf,
  identityLabels,
  ordinalOf,
  podName,
  statefulPod,
  type ClaimView,
  type PodView,
  type SetView,
} from '../stateful-set/identity.ts';
import {
  computeStatefulSetStatus,
  planStatefulSet,
  sameStatefulSetStatus,
  type StatefulSetAction,
  type StatefulSetInput,
} from '../stateful-set/plan-stateful-set.ts';

interface Revisions {
  readonly current: RevisionView;
  readonly update: RevisionView;
  readonly all: readonly RevisionView[];
  readonly collisionCount: number;
}

/** The revision that pods are updated to (made, or an old one of the same template taken up again), and the one they come from. */
async function syncRevisions(set: SetView, known: readonly RevisionView[], run: ReconcileContext): Promise<Revisions> {
  const sorted = [...known].sort(byRevisionNumber);
  const template = set.spec?.template;
  const latest = sorted.at(-1);
  const next = (latest?.revision ?? 0) + 1;
  const same = sorted.filter((r) => holds(r, template)).at(-1);
  let update: RevisionView;
  let collisionCount = set.status?.collisionCount ?? 0;
  if (same !== undefined) update = same === latest ? same : await renumber(same, next, run);
  else {
    const labels = (hash: string): Record<string, string> => ({ ...template?.metadata?.labels, 'controller.kubernetes.io/hash': hash });
    const created = await createRevision({ owner: set, resource: statefulSets, template, collisionCount, labels }, next, run);
    update = created.revision;
    collisionCount = created.collisionCount ?? collisionCount;
  }
  const current = sorted.find((r) => r.metadata?.name === set.status?.currentRevision) ?? update;
  return { current: current.metadata?.uid === update.metadata?.uid ? update : current, update, all: sorted, collisionCount };
}

/** Carries out the actions on one set's pods and claims, telling about each in Events. */
class StatefulPodControl {
  readonly #set: SetView;
  readonly #revisions: Revisions;
  readonly #context: ControllerContext;
  readonly #run: ReconcileContext;
  constructor(o: { set: SetView; revisions: Revisions; context: ControllerContext; run: ReconcileContext }) {
    this.#set = o.set;
    this.#revisions = o.revisions;
    this.#context = o.context;
    this.#run = o.run;
  }

  async apply(action: StatefulSetAction): Promise<void> {
    if (action.do === 'create') return await this.#create(action.ordinal, action.revision);
    if (action.do === 'delete') return await this.#delete(action.pod);
    const ordinal = ordinalOf(this.#set, action.pod) ?? 0;
    await this.#createClaims(ordinal);
    if (action.do === 'repair') await this.#repair(action.pod, ordinal);
    await this.syncClaimOwners(action.pod);
  }

  #claim(name: string): ClaimView | undefined {
    return this.#context.informers.informer(claims).get({ namespace: this.#set.metadata?.namespace ?? '', name });
  }
  #tell(verb: 'Create' | 'Delete' | 'Update', pod: string, error?: unknown): void {
    const what = `${verb} Pod ${pod} in StatefulSet ${this.#set.metadata?.name ?? ''}`;
    if (error === undefined) this.#context.events.event(this.#set, 'Normal', `Successful${verb}`, `${what} successful`);
    else if (!this.#run.signal.aborted)
      this.#context.events.event(this.#set, 'Warning', `Failed${verb}`, `${what} failed error: ${messageOf(error)}`);
  }

  async #create(ordinal: number, which: 'current' | 'update'): Promise<void> {
    const revision = which === 'current' ? this.#revisions.current : this.#revisions.update;
    const pod = statefulPod(this.#set, templateOf(revision), { ordinal, revision: revision.metadata?.name ?? '' });
    const name = podName(this.#set, ordinal);
    // A claim that goes with the pod that had this name before can't be used: wait until it is gone.
    if (
      retentionPolicy(this.#set).whenScaled === 'Delete' &&
      [...claimsOf(this.#set, ordinal).values()].some((c) => {
        const present = this.#claim(c.metadata?.name ?? '');
        return present !== undefined && hasStalePod(present, pod);
      })
    )
      return;
    try {
      await this.#createClaims(ordinal);
      const created = await this.#run.client.create(pods, pod, { signal: this.#run.signal });
      this.#tell('Create', name);
      await this.syncClaimOwners(created);
    } catch (error) {
      // Somebody else's pod has the name, or the cache is late.
      if (!hasReason(error, 'AlreadyExists')) this.#tell('Create', name, error);
      throw error;
    }
  }

  async #delete(pod: PodView): Promise<void> {
    const { namespace = '', name = '', uid = '' } = pod.metadata ?? {};
    try {
      await this.#run.client.delete(pods, { namespace, name }, { preconditions: { uid }, signal: this.#run.signal });
    } catch (error) {
      if (!hasReason(error, 'NotFound') && !hasReason(error, 'Conflict')) {
        this.#tell('Delete', name, error);
        throw error;
      }
    }
    this.#tell('Delete', name);
  }

  async #createClaims(ordinal: number): Promise<void> {
    for (const claim of claimsOf(this.#set, ordinal).values()) {
      const name = claim.metadata?.name ?? '';
      const present = this.#claim(name);
      if (present?.metadata?.deletionTimestamp !== undefined) throw new Error(`pvc ${name} is being deleted`);
      if (present !== undefined) continue;
      const what = `Create Claim ${name} Pod ${podName(this.#set, ordinal)} in StatefulSet ${this.#set.metadata?.name ?? ''}`;
      try {
        await this.#run.client.create(claims, claim, { signal: this.#run.signal });
        this.#context.events.event(this.#set, 'Normal', 'SuccessfulCreate', `${what} success`);
      } catch (error) {
        if (hasReason(error, 'AlreadyExists')) continue;
        this.#context.events.event(this.#set, 'Warning', 'FailedCreate', `${what} failed error: ${messageOf(error)}`);
        throw error;
      }
    }
  }

  async #repair(pod: PodView, ordinal: number): Promise<void> {
    const labels = identityLabels(pod, ordinal);
    if (JSON.stringify(labels) === JSON.stringify(pod.metadata?.labels)) return;
    const draft = structuredClone(pod) as Pod;
    draft.metadata = { ...draft.metadata, labels };
    try {
      await this.#run.client.update(pods, draft, { signal: this.#run.signal });
      this.#tell('Update', pod.metadata?.name ?? '');
    } catch (error) {
      if (!hasReason(error, 'Conflict')) this.#tell('Update', pod.metadata?.name ?? '', error);
      throw error;
    }
  }

  async syncClaimOwners(pod: PodView): Promise<void> {
    const ordinal = ordinalOf(this.#set, pod);
    if (ordinal === undefined) return;
    for (const wanted of claimsOf(this.#set, ordinal).values()) {
      const claim = this.#claim(wanted.metadata?.name ?? '');
      if (claim === undefined) continue;
      const owners = computeClaimOwners(claim, this.#set, pod);
      if (owners === undefined) continue;
      if (hasForeignController(claim, this.#set, pod))
        this.#context.events.event(
          this.#set,
          'Warning',
          'ConflictingController',
          `PersistentVolumeClaim ${claim.metadata?.name ?? ''} has an owner that manages it already; the retention policy does not apply to it`,
        );
      const draft = structuredClone(claim) as PersistentVolumeClaim;
      draft.metadata = { ...draft.metadata, ownerReferences: owners };
      await this.#run.client.update(claims, draft, { signal: this.#run.signal });
    }
  }
}

/** Keeps pods with lasting names and storage, created and updated in order. */
export const statefulSetController: ControllerDescriptor = {
  name: 'statefulset-controller',
  define: () =>
    defineController({
      name: 'statefulset-controller',
      concurrency: 5,
      sources: [
        primary(statefulSets),
        ownedBy(statefulSets, pods),
        ownedBy(statefulSets, controllerRevision),
        mapped(pods, (pod, { informers }) =>
          controllerOf(pod) !== undefined || pod.metadata?.deletionTimestamp !== undefined
            ? []
            : informers
                .informer(statefulSets)
                .list(pod.metadata?.namespace)
                .filter((s) => labelSelectorMatcher(s.spec?.selector)(pod.metadata?.labels))
                .map((s) => keyOf(s)),
        ),
      ],
      create: (context) => {
        const { informers, clock } = context;
        const setInformer = informers.informer(statefulSets);
        const podInformer = informers.informer(pods);
        const revisionInformer = informers.informer(controllerRevision);
        const claimInformer = informers.informer(claims);
        podInformer.addIndex(controllerUidIndex, byControllerUid);
        revisionInformer.addIndex(controllerUidIndex, byControllerUid);
        return async (key, run) => {
          const set = setInformer.get(key);
          if (set === undefined) return undefined;
          const matches = labelSelectorMatcher(set.spec?.selector);
          const uid = set.metadata?.uid ?? '';
          const orphans = `orphan/${key.namespace ?? ''}`;
          const claim = { owner: set, ownerResource: statefulSets, client: run.client, signal: run.signal };
          const revisionCandidates = [
            ...revisionInformer.byIndex(controllerUidIndex, uid),
            ...revisionInformer.byIndex(controllerUidIndex, orphans),
          ];
          const known = await claimChildren(revisionCandidates, {
            ...claim,
            childResource: controllerRevision,
            matches: (r) => matches(r.metadata?.labels),
          });
          // Only pods that are named as its own are adopted.
          const candidates = [
            ...podInformer.byIndex(controllerUidIndex, uid),
            ...podInformer.byIndex(controllerUidIndex, orphans).filter((p) => ordinalOf(set, p) !== undefined),
          ];
          const mine = await claimChildren(candidates, {
            ...claim,
            childResource: pods,
            matches: (p) => matches(p.metadata?.labels) && ordinalOf(set, p) !== undefined,
          });
          const revisions = await syncRevisions(set, known, run);

          const input: StatefulSetInput = {
            set,
            pods: mine,
            currentRevision: revisions.current.metadata?.name ?? '',
            updateRevision: revisions.update.metadata?.name ?? '',
            claimsMatch: (pod) =>
              [...claimsOf(set, ordinalOf(set, pod) ?? 0).values()].every((wanted) => {
                const present = claimInformer.get({ namespace: key.namespace ?? '', name: wanted.metadata?.name ?? '' });
                return present === undefined || computeClaimOwners(present, set, pod) === undefined;
              }),
            nowMs: clock.now(),
          };
          const actions = planStatefulSet(input);
          const control = new StatefulPodControl({ set, revisions, context, run });
          const results = await Promise.allSettled(actions.map((action) => control.apply(action)));
          const failed = results.find((r) => r.status === 'rejected');

          const status = computeStatefulSetStatus(input, revisions.collisionCount);
          if (!sameStatefulSetStatus(set.status, status))
            await run.client.updateStatus(statefulSets, { ...(structuredClone(set) as StatefulSet), status }, { signal: run.signal });
          if (failed !== undefined) throw failed.reason;
          const live = new Set([input.currentRevision, input.updateRevision, ...mine.map((p) => p.metadata?.labels?.[revisionHashLabel])]);
          await truncateHistory(
            { old: revisions.all, limit: set.spec?.revisionHistoryLimit ?? 10, isLive: (r) => live.has(r.metadata?.name) },
            run,
          );
          const minReadySeconds = set.spec?.minReadySeconds ?? 0;
          const nextMs = minReadySeconds === 0 ? undefined : nextAvailabilityMs(mine, minReadySeconds, input.nowMs);
          return nextMs === undefined ? undefined : { requeueAfterMs: nextMs + 1 };
        };
      },
    }),
};

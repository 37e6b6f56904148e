import {
  deployment as deployments,
  pod as pods,
  replicaSet as replicaSets,
  type Deployment,
  type DeploymentStatus,
  type Pod,
  type ReplicaSet,
} from '@skiff/api';
import { hasReason, type DeepReadonly } from '@skiff/apimachinery';
import type { ControllerContext, ReconcileContext } from '@skiff/client';
import { findCondition, setCondition } from '../conditions.ts';
import { controllerReference, controllerUidIndex, isControlledBy } from '../owner-references.ts';
import { isTerminal } from '../pods/pod-state.ts';
import { isNamespaceTerminating } from '../pods/pod-control.ts';
import {
  computeDeploymentStatus,
  computeRolloutStatus,
  deploymentCondition,
  hasProgressDeadline,
  isComplete,
  nextProgressCheckMs,
  sameDeploymentStatus,
} from './deployment-status.ts';
import { newReplicaSetAnnotations, nextRevision, replicasAnnotations, revisionAnnotation } from './revisions.ts';
import {
  byCreation,
  desiredReplicas,
  isActiveSet,
  isScalingEvent,
  maxTotal,
  newReplicaSetSize,
  planHistoryCleanup,
  planRollingStep,
  planScale,
  replicasOf,
  type DeploymentView,
  type ReplicaSetView,
  type ScaleStep,
} from './scaling.ts';
import { computeHash, podTemplateHashLabel, sameTemplate } from './template-hash.ts';

type ReconcileResult = { requeueAfterMs: number } | undefined;

/** One reconcile of a Deployment: what is written once at its end (status, revision) is gathered on the way. */
export class DeploymentRun {
  readonly #d: DeploymentView;
  readonly #context: ControllerContext;
  readonly #run: ReconcileContext;
  readonly #nowMs: number;
  #status: DeploymentStatus;
  #revision: string | undefined;
  #sets: ReplicaSetView[];

  constructor(o: { deployment: DeploymentView; sets: readonly ReplicaSetView[]; context: ControllerContext; run: ReconcileContext }) {
    this.#d = o.deployment;
    this.#sets = [...o.sets].sort(byCreation);
    this.#context = o.context;
    this.#run = o.run;
    this.#nowMs = o.context.clock.now();
    this.#status = structuredClone(o.deployment.status ?? {}) as DeploymentStatus;
  }

  async reconcile(): Promise<ReconcileResult> {
    const d = this.#d;
    if (d.metadata?.deletionTimestamp !== undefined) return await this.#writeStatus(computeDeploymentStatus(this.#statusInput()));
    this.#notePause();
    await this.#syncNewSet();
    if (d.spec?.paused === true || isScalingEvent(d, this.#sets)) {
      await this.#apply(planScale(d, this.#newSet, this.#oldSets));
      if (d.spec?.paused === true) await this.#cleanUpHistory();
      return await this.#writeStatus(computeDeploymentStatus(this.#statusInput()));
    }
    if (d.spec?.strategy?.type === 'Recreate') await this.#recreate();
    else await this.#roll();
    return await this.#writeStatus(computeRolloutStatus(this.#statusInput()));
  }

  get #newSet(): ReplicaSetView | undefined {
    return this.#sets.find((set) => sameTemplate(set.spec?.template, this.#d.spec?.template));
  }
  get #oldSets(): readonly ReplicaSetView[] {
    const current = this.#newSet;
    return this.#sets.filter((set) => set !== current);
  }

  async #roll(): Promise<void> {
    const current = this.#newSet ?? (await this.#createNewSet());
    const steps = planRollingStep(this.#d, current, this.#oldSets);
    await this.#apply(steps);
    if (steps.length === 0 && isComplete(this.#d, this.#status)) await this.#cleanUpHistory();
  }

  /** Old pods must be gone before the first new one is made. */
  async #recreate(): Promise<void> {
    const shrink = this.#oldSets.filter(isActiveSet).map((set) => ({ set, replicas: 0 }));
    await this.#apply(shrink);
    if (shrink.length > 0 || this.#oldPodsRun()) return;
    const current = this.#newSet ?? (await this.#createNewSet());
    await this.#apply([{ set: current, replicas: desiredReplicas(this.#d) }]);
    if (isComplete(this.#d, this.#status)) await this.#cleanUpHistory();
  }

  #oldPodsRun(): boolean {
    const podInformer = this.#context.informers.informer(pods);
    return this.#oldSets.some(
      (set) =>
        (set.status?.replicas ?? 0) > 0 ||
        podInformer
          .byIndex(controllerUidIndex, set.metadata?.uid ?? '')
          .some((pod: DeepReadonly<Pod>) => isControlledBy(pod, set) && !isTerminal(pod)),
    );
  }

  #notePause(): void {
    const { paused } = this.#d.spec ?? {};
    const current = findCondition(this.#status.conditions, 'Progressing');
    if (!hasProgressDeadline(this.#d) || current?.reason === 'ProgressDeadlineExceeded') return;
    const noted = current?.reason === 'DeploymentPaused';
    if (paused === true && !noted) this.#progress('Unknown', 'DeploymentPaused', 'Deployment is paused');
    else if (paused !== true && noted) this.#progress('Unknown', 'DeploymentResumed', 'Deployment is resumed');
  }
  #progress(status: string, reason: string, message: string): void {
    this.#status.conditions = setCondition(
      this.#status.conditions ?? [],
      deploymentCondition({ type: 'Progressing', status, reason, message, nowMs: this.#nowMs }),
    );
  }

  /** Annotations, revision and minReadySeconds of the ReplicaSet that runs the current template, if there is one. */
  async #syncNewSet(): Promise<void> {
    const current = this.#newSet;
    if (current === undefined) return;
    const annotations = newReplicaSetAnnotations(this.#d, current.metadata?.annotations, nextRevision(this.#oldSets));
    const minReadySeconds = this.#d.spec?.minReadySeconds ?? 0;
    let fresh = current;
    if (!sameMap(annotations, current.metadata?.annotations) || (current.spec?.minReadySeconds ?? 0) !== minReadySeconds) {
      fresh = await this.#update(current, (draft) => {
        draft.metadata = { ...draft.metadata, annotations };
        if (draft.spec !== undefined) draft.spec.minReadySeconds = minReadySeconds;
      });
    }
    this.#revision = fresh.metadata?.annotations?.[revisionAnnotation];
    if (hasProgressDeadline(this.#d) && findCondition(this.#status.conditions, 'Progressing') === undefined)
      this.#progress('True', 'FoundNewReplicaSet', `Found new replica set "${fresh.metadata?.name ?? ''}"`);
  }

  async #createNewSet(): Promise<ReplicaSetView> {
    const d = this.#d;
    const template = structuredClone(d.spec?.template ?? {}) as NonNullable<NonNullable<ReplicaSet['spec']>['template']>;
    const hash = computeHash(template, this.#status.collisionCount);
    template.metadata = { ...template.metadata, labels: { ...template.metadata?.labels, [podTemplateHashLabel]: hash } };
    const selector = structuredClone(d.spec?.selector ?? {}) as NonNullable<NonNullable<ReplicaSet['spec']>['selector']>;
    selector.matchLabels = { ...selector.matchLabels, [podTemplateHashLabel]: hash };
    const revision = nextRevision(this.#sets);
    const replicas = newReplicaSetSize(d, this.#sets, undefined);
    const set: ReplicaSet = {
      metadata: {
        name: `${(d.metadata?.name ?? '').slice(0, 253 - 1 - hash.length)}-${hash}`,
        namespace: d.metadata?.namespace ?? '',
        ownerReferences: [controllerReference(d, deployments)],
        labels: template.metadata.labels ?? {},
        annotations: { ...newReplicaSetAnnotations(d, undefined, revision), ...replicasAnnotations(desiredReplicas(d), maxTotal(d)) },
      },
      spec: { replicas, minReadySeconds: d.spec?.minReadySeconds ?? 0, selector, template },
    };
    const created = await this.#createOrFind(set);
    if (created.isNew && replicas > 0)
      this.#context.events.event(
        d,
        'Normal',
        'ScalingReplicaSet',
        `Scaled up replica set ${set.metadata?.name ?? ''} from 0 to ${replicas}`,
      );
    if (created.isNew && hasProgressDeadline(d))
      this.#progress('True', 'NewReplicaSetCreated', `Created new replica set "${set.metadata?.name ?? ''}"`);
    this.#revision = String(revision);
    this.#sets.push(created.set);
    return created.set;
  }

  async #createOrFind(set: ReplicaSet): Promise<{ set: ReplicaSetView; isNew: boolean }> {
    const { client, signal } = this.#run;
    const name = set.metadata?.name ?? '';
    try {
      return { set: await client.create(replicaSets, set, { signal }), isNew: true };
    } catch (error) {
      if (hasReason(error, 'AlreadyExists')) {
        const existing = await client.get(replicaSets, { namespace: this.#d.metadata?.namespace ?? '', name }, { signal });
        if (isControlledBy(existing, this.#d) && sameTemplate(existing.spec?.template, this.#d.spec?.template))
          return { set: existing, isNew: false };
        // Another template with the same hash has the name: count, and take another hash next time.
        this.#status.collisionCount = (this.#status.collisionCount ?? 0) + 1;
        await this.#writeStatus(this.#status);
        throw error;
      }
      if (isNamespaceTerminating(error)) throw error;
      const message = `Failed to create new replica set "${name}": ${error instanceof Error ? error.message : String(error)}`;
      this.#context.events.event(this.#d, 'Warning', 'ReplicaSetCreateError', message);
      if (hasProgressDeadline(this.#d)) {
        this.#progress('False', 'ReplicaSetCreateError', message);
        await this.#writeStatus(this.#status);
      }
      throw error;
    }
  }

  async #apply(steps: readonly ScaleStep[]): Promise<void> {
    const annotations = replicasAnnotations(desiredReplicas(this.#d), maxTotal(this.#d));
    for (const { set, replicas, annotate } of steps) {
      const before = replicasOf(set);
      const current = set.metadata?.annotations ?? {};
      const outdated = Object.entries(annotations).some(([key, value]) => current[key] !== value);
      if (before === replicas && !(annotate === true && outdated)) continue;
      await this.#update(set, (draft) => {
        draft.metadata = { ...draft.metadata, annotations: { ...draft.metadata?.annotations, ...annotations } };
        if (draft.spec !== undefined) draft.spec.replicas = replicas;
      });
      if (before !== replicas)
        this.#context.events.event(
          this.#d,
          'Normal',
          'ScalingReplicaSet',
          `Scaled ${before < replicas ? 'up' : 'down'} replica set ${set.metadata?.name ?? ''} from ${before} to ${replicas}`,
        );
    }
  }

  async #update(set: ReplicaSetView, change: (draft: ReplicaSet) => void): Promise<ReplicaSetView> {
    const draft = structuredClone(set) as ReplicaSet;
    change(draft);
    const updated = await this.#run.client.update(replicaSets, draft, { signal: this.#run.signal });
    this.#sets = this.#sets.map((s) => (s.metadata?.uid === updated.metadata?.uid ? updated : s));
    return updated;
  }

  async #cleanUpHistory(): Promise<void> {
    for (const set of planHistoryCleanup(this.#d, this.#oldSets)) {
      const key = { namespace: set.metadata?.namespace ?? '', name: set.metadata?.name ?? '' };
      try {
        await this.#run.client.delete(replicaSets, key, { preconditions: { uid: set.metadata?.uid ?? '' }, signal: this.#run.signal });
      } catch (error) {
        if (!hasReason(error, 'NotFound') && !hasReason(error, 'Conflict')) throw error;
      }
    }
  }

  #statusInput(): Parameters<typeof computeDeploymentStatus>[0] {
    return { deployment: this.#d, recorded: this.#status, newSet: this.#newSet, sets: this.#sets, nowMs: this.#nowMs };
  }

  /** Status and revision annotation go in one write: the status subresource takes annotations, as upstream's controller relies on. */
  async #writeStatus(status: DeploymentStatus): Promise<ReconcileResult> {
    const annotations = this.#d.metadata?.annotations ?? {};
    const revisionChanged = this.#revision !== undefined && annotations[revisionAnnotation] !== this.#revision;
    if (!sameDeploymentStatus(this.#d.status, status) || revisionChanged) {
      const draft: Deployment = { ...(structuredClone(this.#d) as Deployment), status };
      if (this.#revision !== undefined)
        draft.metadata = { ...draft.metadata, annotations: { ...annotations, [revisionAnnotation]: this.#revision } };
      await this.#run.client.updateStatus(deployments, draft, { signal: this.#run.signal });
    }
    const nextMs = nextProgressCheckMs(this.#d, status, this.#nowMs);
    return nextMs === undefined ? undefined : { requeueAfterMs: nextMs };
  }
}

function sameMap(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>> | undefined): boolean {
  const [keys, others] = [Object.keys(a), Object.keys(b ?? {})];
  return keys.length === others.length && keys.every((key) => a[key] === b?.[key]);
}

import { pod as pods, type Pod, type PodTemplateSpec, type ReplicaSetStatus } from '@skiff/api';
import { formatKey, keyOf, type DeepReadonly, type KubeObject, type ResourceRef } from '@skiff/apimachinery';
import {
  controllerOf,
  defineController,
  mapped,
  ownedBy,
  primary,
  type ControllerContext,
  type ControllerDefinition,
  type ReconcileContext,
} from '@skiff/client';
import { claimChildren } from '../claim.ts';
import type { LabelMatcher } from '../label-selector.ts';
import { byControllerUid, controllerReference, controllerUidIndex } from '../owner-references.ts';
import { choosePodsToDelete } from '../pods/deletion-order.ts';
import { podControl } from '../pods/pod-control.ts';
import { podFromTemplate } from '../pods/pod-from-template.ts';
import { isActive, isTerminating, nextAvailabilityMs } from '../pods/pod-state.ts';
import { slowStart } from '../pods/slow-start.ts';
import { computeReplicaStatus, sameReplicaStatus } from './replica-status.ts';

/** What ReplicaSet and ReplicationController differ in. */
export interface ReplicasKind<T extends KubeObject & { status?: ReplicaSetStatus }> {
  readonly name: string;
  readonly resource: ResourceRef<T>;
  readonly countsTerminating: boolean;
  desired(owner: DeepReadonly<T>): {
    readonly replicas: number;
    readonly minReadySeconds: number;
    readonly template: DeepReadonly<PodTemplateSpec> | undefined;
  };
  selector(owner: DeepReadonly<T>): LabelMatcher;
  /** Active pods of the whole workload, which tell how crowded nodes are. */
  related(owner: DeepReadonly<T>, context: ControllerContext): readonly DeepReadonly<Pod>[];
}

/** Pods created or deleted in one go, at most. */
const burstReplicas = 500;

export function defineReplicasController<T extends KubeObject & { status?: ReplicaSetStatus }>(
  kind: ReplicasKind<T>,
): ControllerDefinition {
  return defineController({
    name: kind.name,
    concurrency: 5,
    sources: [
      primary(kind.resource),
      ownedBy(kind.resource, pods),
      mapped(pods, (pod, { informers }) => {
        // An orphan wakes whoever would adopt it.
        if (controllerOf(pod) !== undefined || pod.metadata?.deletionTimestamp !== undefined) return [];
        return informers
          .informer(kind.resource)
          .list(pod.metadata?.namespace)
          .filter((owner) => kind.selector(owner)(pod.metadata?.labels))
          .map((owner) => keyOf(owner));
      }),
    ],
    create: (context) => {
      const owners = context.informers.informer(kind.resource);
      const podInformer = context.informers.informer(pods);
      podInformer.addIndex(controllerUidIndex, byControllerUid);
      return async (key, run) => {
        const owner = owners.get(key);
        if (owner === undefined) return undefined;
        const all = [
          ...podInformer.byIndex(controllerUidIndex, owner.metadata?.uid ?? ''),
          ...podInformer.byIndex(controllerUidIndex, `orphan/${key.namespace ?? ''}`),
        ];
        const matches = kind.selector(owner);
        const active = await claimChildren(all.filter(isActive), {
          owner,
          ownerResource: kind.resource,
          childResource: pods,
          matches: (pod) => matches(pod.metadata?.labels),
          client: run.client,
          signal: run.signal,
        });
        const managed =
          owner.metadata?.deletionTimestamp === undefined ? await manageReplicas({ kind, owner, active, context, run }) : { changed: 0 };
        // The cache doesn't hold the change yet, and its arrival brings the key back: a status now would be stale.
        if (managed.changed > 0 && managed.error === undefined) return undefined;
        const terminating = all.filter(
          (pod) => isTerminating(pod) && controllerOf(pod)?.uid === owner.metadata?.uid && matches(pod.metadata?.labels),
        );
        const next = await syncStatus({ kind, owner, active, terminating, failure: managed.error, context, run });
        if (managed.error !== undefined) throw managed.error;
        return next;
      };
    },
  });
}

interface Sync<T extends KubeObject & { status?: ReplicaSetStatus }> {
  readonly kind: ReplicasKind<T>;
  readonly owner: DeepReadonly<T>;
  readonly active: readonly DeepReadonly<Pod>[];
  readonly context: ControllerContext;
  readonly run: ReconcileContext;
}

async function manageReplicas<T extends KubeObject & { status?: ReplicaSetStatus }>(
  sync: Sync<T>,
): Promise<{ changed: number; error?: Error }> {
  const { kind, owner, active, context, run } = sync;
  const { replicas, template } = kind.desired(owner);
  const difference = replicas - active.length;
  if (difference === 0) return { changed: 0 };
  const count = Math.min(Math.abs(difference), burstReplicas);
  const control = podControl(owner, context.events, run);
  let changed = 0;
  const note = (done: boolean): void => {
    if (done) changed += 1;
  };
  let error: unknown;
  if (difference > 0) {
    ({ error } = await slowStart(count, async () =>
      note(await control.create(podFromTemplate(template, owner, controllerReference(owner, kind.resource)))),
    ));
  } else {
    const victims = choosePodsToDelete(active, kind.related(owner, context), { count, nowMs: context.clock.now() });
    const results = await Promise.allSettled(victims.map(async (pod) => note(await control.remove(pod))));
    error = results.find((r) => r.status === 'rejected')?.reason;
  }
  if (error === undefined) return { changed };
  return { changed, error: error instanceof Error ? error : new Error(String(error)) };
}

async function syncStatus<T extends KubeObject & { status?: ReplicaSetStatus }>(
  sync: Sync<T> & { readonly terminating: readonly DeepReadonly<Pod>[]; readonly failure: Error | undefined },
): Promise<{ requeueAfterMs: number } | undefined> {
  const { kind, owner, active, context, run } = sync;
  const { replicas, minReadySeconds, template } = kind.desired(owner);
  const nowMs = context.clock.now();
  const status = computeReplicaStatus({
    status: owner.status as DeepReadonly<ReplicaSetStatus> | undefined,
    generation: owner.metadata?.generation ?? 0,
    replicas,
    minReadySeconds,
    templateLabels: template?.metadata?.labels ?? {},
    active,
    terminating: kind.countsTerminating ? sync.terminating : undefined,
    failure: sync.failure,
    nowMs,
  });
  if (!sameReplicaStatus(owner.status as DeepReadonly<ReplicaSetStatus> | undefined, status)) {
    const draft = { ...(structuredClone(owner) as T), status };
    await run.client.updateStatus(kind.resource, draft, { signal: run.signal });
    run.log.debug(
      { key: formatKey({ namespace: owner.metadata?.namespace ?? '', name: owner.metadata?.name ?? '' }), status },
      'status updated',
    );
  }
  if (minReadySeconds === 0 || status.readyReplicas === status.availableReplicas) return undefined;
  return { requeueAfterMs: (nextAvailabilityMs(active, minReadySeconds, nowMs) ?? minReadySeconds * 1000) + 1 };
}

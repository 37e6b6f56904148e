import type { PersistentVolume, PersistentVolumeClaim, StorageClass } from '@skiff/api';
import type { Client, Informer, Lister } from '@skiff/client';
import type { Clock } from '@skiff/component-base';
import type { StateKey } from '../framework/cycle-context.ts';
import type { NodeInfo } from '../framework/node-info.ts';
import type { SchedulerPlugin } from '../framework/plugin.ts';
import { ok, skip, unresolvable } from '../framework/verdict.ts';
import { bindVolumes, type VolumePlan } from '../volumes/bind-volumes.ts';
import { canProvision, type CapacityListers, findVolume, hasRoom, isReachable } from '../volumes/match-volume.ts';
import {
  claimKey,
  claimReferences,
  selectedNodeAnnotation,
  sortClaims,
  type ClaimView,
  type PodClaims,
  type VolumeView,
} from '../volumes/pod-claims.ts';

export interface VolumeBindingDependencies extends CapacityListers {
  readonly client: Client;
  readonly clock: Clock;
  readonly claims: Informer<PersistentVolumeClaim>;
  readonly volumes: Informer<PersistentVolume>;
  readonly classes: Lister<StorageClass>;
}

const noVolume = "node(s) didn't find available persistent volumes to bind";
const noRoom = 'node(s) did not have enough free storage';
const unreachable = "node(s) didn't match PersistentVolume's node affinity";
const missing = 'node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)';

const podClaims: StateKey<PodClaims> = { name: 'claims of the pod' };
const plans: StateKey<Map<string, VolumePlan>> = { name: 'volume plans by node' };

/**
 * A pod goes where its volumes are; volumes that wait for their first consumer (WaitForFirstConsumer) are bound or made for the node
 * that is chosen, before the pod is bound.
 */
export function createVolumeBinding(deps: VolumeBindingDependencies): SchedulerPlugin {
  /** Volumes and claims that other pods on their way have been promised: volume name → claim, claim → node. */
  const promisedVolumes = new Map<string, string>();
  const promisedClaims = new Map<string, string>();

  const planFor = (claims: PodClaims, node: NodeInfo): VolumePlan | string => {
    const bindings: { claim: ClaimView; volume: VolumeView }[] = [];
    const provisions: ClaimView[] = [];
    const taken = new Set<string>();
    for (const claim of claims.delayed) {
      const selected = promisedClaims.get(claimKey(claim)) ?? claim.metadata?.annotations?.[selectedNodeAnnotation];
      if (selected !== undefined && selected !== node.name) return noVolume;
      const free = deps.volumes.list().filter((v) => {
        const name = v.metadata?.name ?? '';
        return !taken.has(name) && (promisedVolumes.get(name) ?? claimKey(claim)) === claimKey(claim);
      });
      const volume = selected === undefined ? findVolume(claim, node, free) : undefined;
      if (volume !== undefined) {
        taken.add(volume.metadata?.name ?? '');
        bindings.push({ claim, volume });
        continue;
      }
      const storageClass = deps.classes.get({ name: claim.spec?.storageClassName ?? '' });
      if (storageClass === undefined || !canProvision(storageClass, node)) return noVolume;
      if (!hasRoom(claim, storageClass, node, deps)) return noRoom;
      provisions.push(claim);
    }
    return { bindings, provisions };
  };

  const release = (plan: VolumePlan): void => {
    for (const { volume } of plan.bindings) promisedVolumes.delete(volume.metadata?.name ?? '');
    for (const claim of plan.provisions) promisedClaims.delete(claimKey(claim));
  };

  return {
    name: 'VolumeBinding',
    requeueOn: [
      {
        resource: 'PersistentVolumeClaim',
        actions: ['add', 'update'],
        helps: (pod, event) => event.new?.metadata?.namespace === pod.namespace,
      },
      { resource: 'PersistentVolume', actions: ['add', 'update'] },
      { resource: 'StorageClass', actions: ['add', 'update'] },
      { resource: 'CSIDriver', actions: ['update'] },
      { resource: 'CSIStorageCapacity', actions: ['add', 'update'] },
      { resource: 'Node', actions: ['add', 'update-labels'] },
    ],
    preFilter: (pod, context) => {
      if (claimReferences(pod).length === 0) return skip;
      const claims = sortClaims(pod, deps);
      if (typeof claims === 'string') return unresolvable(claims);
      if (claims.immediate.length > 0) return unresolvable('pod has unbound immediate PersistentVolumeClaims');
      context.write(podClaims, claims);
      context.write(plans, new Map());
      return ok;
    },
    filter: (_, node, context) => {
      const claims = context.require(podClaims);
      const reasons = new Set<string>();
      for (const claim of claims.bound) {
        const volume = deps.volumes.get({ name: claim.spec?.volumeName ?? '' });
        if (volume === undefined) reasons.add(missing);
        else if (!isReachable(volume, node)) reasons.add(unreachable);
      }
      const plan = planFor(claims, node);
      if (typeof plan === 'string') reasons.add(plan);
      else context.require(plans).set(node.name, plan);
      return reasons.size === 0 ? ok : unresolvable(...reasons);
    },
    reserve: (_, nodeName, context) => {
      const plan = context.read(plans)?.get(nodeName);
      for (const { volume, claim } of plan?.bindings ?? []) promisedVolumes.set(volume.metadata?.name ?? '', claimKey(claim));
      for (const claim of plan?.provisions ?? []) promisedClaims.set(claimKey(claim), nodeName);
      return ok;
    },
    unreserve: (_, nodeName, context) => {
      const plan = context.read(plans)?.get(nodeName);
      if (plan !== undefined) release(plan);
    },
    needsPreBind: (_, nodeName, context) => hasWork(context.read(plans)?.get(nodeName)),
    preBind: async (pod, nodeName, context, signal) => {
      const plan = context.read(plans)?.get(nodeName);
      if (plan === undefined || !hasWork(plan)) return;
      await bindVolumes(pod, nodeName, { plan, deps, signal });
      // From here on the objects themselves say it.
      release(plan);
    },
  };
}

const hasWork = (plan: VolumePlan | undefined): boolean => plan !== undefined && plan.bindings.length + plan.provisions.length > 0;

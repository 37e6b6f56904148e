import { pod as pods, replicaSet, type ReplicaSet } from '@skiff/api';
import { controllerOf } from '@skiff/client';
import type { ControllerDescriptor } from '../descriptor.ts';
import { labelSelectorMatcher } from '../label-selector.ts';
import { byControllerUid, controllerUidIndex, isControlledBy } from '../owner-references.ts';
import { isActive } from '../pods/pod-state.ts';
import { defineReplicasController } from '../replicas/replicas-controller.ts';

/** Keeps as many pods of a ReplicaSet as it wants; adopts orphans that match, releases what doesn't. */
export const replicaSetController: ControllerDescriptor = {
  name: 'replicaset-controller',
  define: () =>
    defineReplicasController<ReplicaSet>({
      name: 'replicaset-controller',
      resource: replicaSet,
      countsTerminating: true,
      desired: (owner) => ({
        replicas: owner.spec?.replicas ?? 1,
        minReadySeconds: owner.spec?.minReadySeconds ?? 0,
        template: owner.spec?.template,
      }),
      selector: (owner) => labelSelectorMatcher(owner.spec?.selector),
      related: (owner, { informers }) => {
        // ReplicaSets of one Deployment count as one workload.
        const controller = controllerOf(owner);
        const sets = informers.informer(replicaSet);
        sets.addIndex(controllerUidIndex, byControllerUid);
        const siblings = controller === undefined ? [owner] : sets.byIndex(controllerUidIndex, controller.uid);
        const podInformer = informers.informer(pods);
        return siblings.flatMap((set) =>
          podInformer.byIndex(controllerUidIndex, set.metadata?.uid ?? '').filter((pod) => isActive(pod) && isControlledBy(pod, set)),
        );
      },
    }),
};

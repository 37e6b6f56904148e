import { pod as pods, replicationController, type ReplicationController } from '@skiff/api';
import type { ControllerDescriptor } from '../descriptor.ts';
import { mapMatcher } from '../label-selector.ts';
import { controllerUidIndex } from '../owner-references.ts';
import { isActive } from '../pods/pod-state.ts';
import { defineReplicasController } from '../replicas/replicas-controller.ts';

/** The same loop as ReplicaSet's over the older kind. */
export const replicationControllerController: ControllerDescriptor = {
  name: 'replicationcontroller-controller',
  eventComponent: 'replication-controller',
  define: () =>
    defineReplicasController<ReplicationController>({
      name: 'replicationcontroller-controller',
      resource: replicationController,
      countsTerminating: false,
      desired: (owner) => ({
        replicas: owner.spec?.replicas ?? 1,
        minReadySeconds: owner.spec?.minReadySeconds ?? 0,
        template: owner.spec?.template,
      }),
      selector: (owner) => mapMatcher(owner.spec?.selector),
      related: (owner, { informers }) =>
        informers
          .informer(pods)
          .byIndex(controllerUidIndex, owner.metadata?.uid ?? '')
          .filter(isActive),
    }),
};

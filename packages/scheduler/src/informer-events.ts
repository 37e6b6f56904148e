import type {
  CSIDriver,
  CSINode,
  CSIStorageCapacity,
  Namespace,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  StorageClass,
  VolumeAttachment,
} from '@skiff/api';
import type { KubeObject } from '@skiff/apimachinery';
import type { Informer, InformerFactory } from '@skiff/client';
import type { ClusterState } from './cluster-state.ts';
import type { EventAction, EventResource } from './framework/cluster-event.ts';
import { nodeChanges, nodeEvent, podChanges } from './framework/node-change.ts';
import { createPodInfo, isTerminal, type PodView } from './framework/pod-info.ts';
import {
  csiDriver,
  csiNode,
  csiStorageCapacity,
  namespaceResource,
  nodeResource,
  persistentVolume,
  persistentVolumeClaim,
  podResource,
  storageClass,
  volumeAttachment,
} from './resource-refs.ts';
import type { SchedulingQueue } from './queue/scheduling-queue.ts';

export interface SchedulerInformers {
  readonly pods: Informer<Pod>;
  readonly nodes: Informer<Node>;
  readonly namespaces: Informer<Namespace>;
  readonly claims: Informer<PersistentVolumeClaim>;
  readonly volumes: Informer<PersistentVolume>;
  readonly classes: Informer<StorageClass>;
  readonly csiNodes: Informer<CSINode>;
  readonly drivers: Informer<CSIDriver>;
  readonly capacities: Informer<CSIStorageCapacity>;
  readonly attachments: Informer<VolumeAttachment>;
}

/** Ended pods hold nothing, so they are not even watched: when one ends, the watch says it is gone. */
export const createSchedulerInformers = (factory: InformerFactory): SchedulerInformers => ({
  pods: factory.informer(podResource, { fieldSelector: 'status.phase!=Succeeded,status.phase!=Failed' }),
  nodes: factory.informer(nodeResource),
  namespaces: factory.informer(namespaceResource),
  claims: factory.informer(persistentVolumeClaim),
  volumes: factory.informer(persistentVolume),
  classes: factory.informer(storageClass),
  csiNodes: factory.informer(csiNode),
  drivers: factory.informer(csiDriver),
  capacities: factory.informer(csiStorageCapacity),
  attachments: factory.informer(volumeAttachment),
});

/** Carries what informers tell into the cluster state and the queue. */
export function subscribe(informers: SchedulerInformers, state: ClusterState, queue: SchedulingQueue, schedulerName: string): Disposable {
  const isOurs = (pod: PodView): boolean => (pod.spec?.schedulerName || 'default-scheduler') === schedulerName;
  const isOn = (pod: PodView): string | undefined => pod.spec?.nodeName || undefined;

  const assigned = (pod: PodView, nodeName: string, old: PodView | undefined): void => {
    const info = createPodInfo(pod);
    const isNew = old === undefined || isOn(old) === undefined;
    state.nominate(info, undefined);
    state.setPod(info, nodeName);
    queue.delete(info.uid);
    const actions: readonly EventAction[] = isNew ? ['add'] : podChanges(old, pod);
    if (isNew || actions.length > 1) queue.event({ resource: 'AssignedPod', actions, new: pod, ...(old && { old }) });
  };
  const waiting = (pod: PodView): void => {
    if (!isOurs(pod)) return;
    const info = createPodInfo(pod);
    if (pod.metadata?.deletionTimestamp !== undefined) return queue.delete(info.uid);
    state.nominate(info, pod.status?.nominatedNodeName);
    // Between our binding and its news from the apiserver it is not waiting any more.
    if (!state.isAssumed(info.uid)) queue.add(info);
  };
  const changed = (pod: PodView, old: PodView | undefined): void => {
    if (isTerminal(pod)) return gone(pod);
    const nodeName = isOn(pod);
    if (nodeName === undefined) waiting(pod);
    else assigned(pod, nodeName, old);
  };
  const gone = (pod: PodView): void => {
    const info = createPodInfo(pod);
    state.nominate(info, undefined);
    queue.delete(info.uid);
    const wasOn = isOn(pod);
    if (wasOn === undefined) return;
    state.deletePod(info.uid);
    queue.event({ resource: 'AssignedPod', actions: ['delete'], old: pod });
  };

  const forward = <T extends KubeObject>(informer: Informer<T>, resource: EventResource): Disposable =>
    informer.subscribe({
      onAdd: (object) => queue.event({ resource, actions: ['add'], new: object }),
      onUpdate: (object, old) => queue.event({ resource, actions: ['update'], new: object, old }),
      onDelete: (object) => queue.event({ resource, actions: ['delete'], old: object }),
    });
  const subscriptions = [
    forward(informers.claims, 'PersistentVolumeClaim'),
    forward(informers.volumes, 'PersistentVolume'),
    forward(informers.classes, 'StorageClass'),
    forward(informers.csiNodes, 'CSINode'),
    forward(informers.drivers, 'CSIDriver'),
    forward(informers.capacities, 'CSIStorageCapacity'),
    forward(informers.attachments, 'VolumeAttachment'),
    informers.pods.subscribe({ onAdd: (pod) => changed(pod, undefined), onUpdate: changed, onDelete: gone }),
    informers.nodes.subscribe({
      onAdd: (node) => {
        state.setNode(node);
        queue.event(nodeEvent(['add'], undefined, node));
      },
      onUpdate: (node, old) => {
        state.setNode(node);
        const actions = nodeChanges(old, node);
        if (actions.length > 0) queue.event(nodeEvent(actions, old, node));
      },
      onDelete: (node) => {
        state.deleteNode(node.metadata?.name ?? '');
        queue.event(nodeEvent(['delete'], node, undefined));
      },
    }),
    informers.namespaces.subscribe({
      onUpdate: (namespace, old) => queue.event({ resource: 'Namespace', actions: ['update-labels'], new: namespace, old }),
    }),
  ];
  return {
    [Symbol.dispose]: () => {
      for (const subscription of subscriptions) subscription[Symbol.dispose]();
    },
  };
}

import type { DeepReadonly, KubeObject } from '@skiff/apimachinery';
import type { NodeInfo } from './node-info.ts';
import type { PodInfo } from './pod-info.ts';

/**
 * What can happen that may let a waiting pod fit. `AssignedPod` is a pod on a node, `UnscheduledPod` one in the queue (mostly the waiting
 * pod itself).
 */
export type EventResource =
  | 'Node'
  | 'AssignedPod'
  | 'UnscheduledPod'
  | 'Namespace'
  | 'PersistentVolume'
  | 'PersistentVolumeClaim'
  | 'StorageClass'
  | 'CSINode'
  | 'CSIDriver'
  | 'CSIStorageCapacity'
  | 'VolumeAttachment';
export type EventAction =
  | 'add'
  | 'delete'
  | 'update'
  | 'update-labels'
  | 'update-taints'
  | 'update-allocatable'
  | 'update-conditions'
  | 'update-tolerations'
  | 'update-requests'
  | 'gates-eliminated';

export interface ClusterEvent {
  readonly resource: EventResource;
  /** All that this change was. */
  readonly actions: readonly EventAction[];
  readonly old?: DeepReadonly<KubeObject>;
  readonly new?: DeepReadonly<KubeObject>;
  /** For Node events: both sides without pods, computed once for all that look at the event. */
  readonly nodes?: { readonly before: NodeInfo | undefined; readonly after: NodeInfo | undefined };
}

/** An event that may make a pod fit which the plugin has turned away. Without `helps`: it always may. */
export interface RequeueHint {
  readonly resource: EventResource;
  readonly actions: readonly EventAction[];
  /** Pure and quick: it runs for every waiting pod. When in doubt, true. */
  helps?(pod: PodInfo, event: ClusterEvent): boolean;
}

export const hintApplies = (hint: RequeueHint, pod: PodInfo, event: ClusterEvent): boolean =>
  hint.resource === event.resource && hint.actions.some((action) => event.actions.includes(action)) && (hint.helps?.(pod, event) ?? true);

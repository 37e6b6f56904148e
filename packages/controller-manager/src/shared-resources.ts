import {
  controllerRevision,
  daemonSet,
  deployment,
  endpoints,
  endpointSlice,
  job,
  namespace,
  node,
  persistentVolumeClaim,
  pod,
  replicaSet,
  replicationController,
  service,
  serviceAccount,
  statefulSet,
} from '@skiff/api';
import type { ResourceRef } from '@skiff/apimachinery';

/** Resources that controllers of this process follow as whole objects, unfiltered: garbage collection shares their informers. */
export const sharedResources: readonly ResourceRef[] = [
  namespace,
  node,
  pod,
  service,
  serviceAccount,
  replicationController,
  replicaSet,
  deployment,
  endpoints,
  endpointSlice,
  controllerRevision,
  daemonSet,
  statefulSet,
  job,
  persistentVolumeClaim,
];

import { attachDetachController } from './controllers/attach-detach.ts';
import { bootstrapSigner } from './controllers/bootstrap-signer.ts';
import { certificateApprovingController } from './controllers/certificate-approving.ts';
import { certificateCleaner } from './controllers/certificate-cleaner.ts';
import { certificateSigningController } from './controllers/certificate-signing.ts';
import { cloudNodeLifecycleController } from './controllers/cloud-node-lifecycle.ts';
import { clusterRoleAggregationController } from './controllers/cluster-role-aggregation.ts';
import { cronJobController } from './controllers/cron-job.ts';
import { daemonSetController } from './controllers/daemon-set.ts';
import { deploymentController } from './controllers/deployment.ts';
import { disruptionController } from './controllers/disruption.ts';
import { endpointSliceController } from './controllers/endpoint-slice.ts';
import { endpointSliceMirroringController } from './controllers/endpoint-slice-mirroring.ts';
import { endpointsController } from './controllers/endpoints.ts';
import { ephemeralVolumeController } from './controllers/ephemeral-volume.ts';
import { garbageCollector } from './controllers/garbage-collector.ts';
import { horizontalPodAutoscalerController } from './controllers/horizontal-pod-autoscaler.ts';
import { jobController } from './controllers/job.ts';
import { legacyTokenCleaner } from './controllers/legacy-token-cleaner.ts';
import { localPathProvisionerController } from './controllers/local-path-provisioner.ts';
import { namespaceController } from './controllers/namespace.ts';
import { nodeIpamController } from './controllers/node-ipam.ts';
import { nodeLifecycleController } from './controllers/node-lifecycle.ts';
import { persistentVolumeBinder } from './controllers/persistent-volume-binder.ts';
import { podGarbageCollector } from './controllers/pod-garbage-collector.ts';
import { policyStatusController } from './controllers/policy-status.ts';
import { serviceCIDRController } from './controllers/service-cidr.ts';
import { pvProtectionController } from './controllers/pv-protection.ts';
import { pvcProtectionController } from './controllers/pvc-protection.ts';
import { replicaSetController } from './controllers/replica-set.ts';
import { replicationControllerController } from './controllers/replication-controller.ts';
import { resourceQuotaController } from './controllers/resource-quota.ts';
import { rootCaPublisher } from './controllers/root-ca-publisher.ts';
import { serviceAccountController } from './controllers/service-account.ts';
import { serviceAccountTokensController } from './controllers/service-account-tokens.ts';
import { serviceLoadBalancerController } from './controllers/service-lb.ts';
import { staleDisruptionController } from './controllers/stale-disruption.ts';
import { statefulSetController } from './controllers/stateful-set.ts';
import { taintEvictionController } from './controllers/taint-eviction.ts';
import { tokenCleaner } from './controllers/token-cleaner.ts';
import { ttlAfterFinishedController } from './controllers/ttl-after-finished.ts';
import { vacProtectionController } from './controllers/vac-protection.ts';
import { volumeExpandController } from './controllers/volume-expand.ts';
import type { ControllerDescriptor } from './descriptor.ts';

/** Every control loop. A new one is a file in `controllers/` and a line here. */
export const controllers: readonly ControllerDescriptor[] = [
  namespaceController,
  serviceAccountController,
  serviceAccountTokensController,
  legacyTokenCleaner,
  rootCaPublisher,
  resourceQuotaController,
  garbageCollector,
  endpointSliceController,
  endpointSliceMirroringController,
  endpointsController,
  serviceLoadBalancerController,
  nodeIpamController,
  nodeLifecycleController,
  cloudNodeLifecycleController,
  taintEvictionController,
  podGarbageCollector,
  certificateApprovingController,
  certificateSigningController,
  certificateCleaner,
  deploymentController,
  replicaSetController,
  replicationControllerController,
  daemonSetController,
  statefulSetController,
  jobController,
  cronJobController,
  horizontalPodAutoscalerController,
  ttlAfterFinishedController,
  disruptionController,
  staleDisruptionController,
  clusterRoleAggregationController,
  bootstrapSigner,
  tokenCleaner,
  persistentVolumeBinder,
  ephemeralVolumeController,
  attachDetachController,
  volumeExpandController,
  vacProtectionController,
  localPathProvisionerController,
  pvcProtectionController,
  pvProtectionController,
  policyStatusController,
  serviceCIDRController,
];

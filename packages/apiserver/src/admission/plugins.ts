import type { Clock } from '@skiff/component-base';
import type { ObjectAccess } from '../contract.ts';
import type { Authorization } from '../authz/authorization.ts';
import type { Authorizer } from '../authz/authorizer.ts';
import { certificateApproval, certificateSigning, certificateSubjectRestriction } from './certificates.ts';
import { defaultTolerationSeconds, type DefaultTolerations, standardTolerations } from './default-toleration-seconds.ts';
import { rbacEscalation } from './rbac-escalation.ts';
import { limitRanger } from './limit-ranger.ts';
import { namespaceLifecycle } from './namespace-lifecycle.ts';
import { nodeRestriction } from './node-restriction.ts';
import { type AdmissionConfig, standardAdmission } from './admission-config.ts';
import { alwaysAdmit, alwaysDeny } from './always.ts';
import { alwaysPullImages } from './always-pull-images.ts';
import { defaultIngressClass, defaultStorageClass, persistentVolumeClaimResize, storageObjectInUseProtection } from './class-defaults.ts';
import { denyServiceExternalIPs } from './deny-service-external-ips.ts';
import { eventRateLimit } from './event-rate-limit.ts';
import { namespaceAutoProvision, namespaceExists } from './namespace-existence.ts';
import { ownerReferencesPermissionEnforcement } from './owner-references.ts';
import type { AdmissionPlugin } from './plugin.ts';
import { podResizeValidator } from './pod-resize.ts';
import {
  extendedResourceToleration,
  limitPodHardAntiAffinityTopology,
  podNodeSelector,
  podTolerationRestriction,
} from './pod-restrictions.ts';
import { podSecurity } from './pod-security/pod-security.ts';
import { podTopologyLabels } from './pod-topology-labels.ts';
import { mutatingPolicies } from './policy/mutating.ts';
import { policyParamAccess } from './policy/param-access.ts';
import type { PolicyMetrics } from './policy/policy-metrics.ts';
import type { PolicyDeps } from './policy/policy-deps.ts';
import { validatingPolicies } from './policy/validating.ts';
import { priority } from './priority.ts';
import { resourceQuotaAdmission } from './resource-quota.ts';
import { runtimeClassAdmission } from './runtime-class.ts';
import { taintNodesByCondition } from './taint-nodes-by-condition.ts';
import { serviceAccountAdmission } from './service-account.ts';
import { mutatingWebhooks, validatingWebhooks, type WebhookDeps } from './webhook/webhooks.ts';

export interface AdmissionDeps {
  readonly objects: ObjectAccess;
  readonly authorization: Authorization;
  readonly clock: Pick<Clock, 'now'>;
  readonly webhooks: Omit<WebhookDeps, 'objects' | 'authorizer'>;
  readonly defaultTolerations?: DefaultTolerations;
  readonly config?: AdmissionConfig;
  readonly policyMetrics?: PolicyMetrics | undefined;
  sleep(delayMs: number, signal: AbortSignal): Promise<void>;
}

/** Every admission plugin that is enabled, in upstream's order. The order decides who sees whose changes. */
export function admissionPlugins({
  objects,
  authorization,
  defaultTolerations = standardTolerations,
  config = standardAdmission,
  clock,
  webhooks,
  policyMetrics,
  sleep,
}: AdmissionDeps): readonly AdmissionPlugin[] {
  const authorizer = (): Authorizer => authorization.authorizer;
  const policies: PolicyDeps = {
    objects,
    definitions: webhooks.definitions,
    convert: webhooks.convert,
    authorizer,
    metrics: policyMetrics,
  };
  const all: readonly AdmissionPlugin[] = [
    alwaysAdmit,
    namespaceAutoProvision(objects),
    namespaceLifecycle(objects),
    namespaceExists(objects),
    limitPodHardAntiAffinityTopology,
    limitRanger(objects),
    serviceAccountAdmission(objects, sleep),
    nodeRestriction(objects, authorizer),
    taintNodesByCondition,
    alwaysPullImages,
    podSecurity(objects, config.podSecurity),
    podNodeSelector(objects, config.nodeSelectors),
    priority(objects),
    defaultTolerationSeconds(defaultTolerations),
    podTolerationRestriction(objects),
    eventRateLimit(config.eventLimits, clock),
    extendedResourceToleration,
    defaultStorageClass(objects),
    storageObjectInUseProtection,
    ownerReferencesPermissionEnforcement(authorizer, webhooks.definitions),
    persistentVolumeClaimResize(objects),
    runtimeClassAdmission(objects),
    certificateApproval(authorizer),
    certificateSigning(authorizer),
    certificateSubjectRestriction,
    defaultIngressClass(objects),
    denyServiceExternalIPs,
    podTopologyLabels(objects),
    podResizeValidator(objects),
    rbacEscalation(authorization),
    policyParamAccess(policies),
    mutatingPolicies(policies),
    mutatingWebhooks({ objects, authorizer, ...webhooks }),
    validatingPolicies(policies),
    validatingWebhooks({ objects, authorizer, ...webhooks }),
    resourceQuotaAdmission(objects, clock),
    alwaysDeny,
  ];
  return all.filter((plugin) => config.isEnabled(plugin.name));
}

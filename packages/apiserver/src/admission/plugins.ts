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
import type { AdmissionPlugin } from './plugin.ts';
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
  readonly webhooks: Omit<WebhookDeps, 'objects'>;
  readonly defaultTolerations?: DefaultTolerations;
  sleep(delayMs: number, signal: AbortSignal): Promise<void>;
}

/** Every admission plugin, in upstream's order. The order decides who sees whose changes. */
export function admissionPlugins({
  objects,
  authorization,
  defaultTolerations = standardTolerations,
  clock,
  webhooks,
  sleep,
}: AdmissionDeps): readonly AdmissionPlugin[] {
  const authorizer = (): Authorizer => authorization.authorizer;
  return [
    namespaceLifecycle(objects),
    limitRanger(objects),
    serviceAccountAdmission(objects, sleep),
    nodeRestriction(objects, authorizer),
    taintNodesByCondition,
    priority(objects),
    defaultTolerationSeconds(defaultTolerations),
    runtimeClassAdmission(objects),
    certificateApproval(authorizer),
    certificateSigning(authorizer),
    certificateSubjectRestriction,
    rbacEscalation(authorization),
    mutatingWebhooks({ objects, ...webhooks }),
    validatingWebhooks({ objects, ...webhooks }),
    resourceQuotaAdmission(objects, clock),
  ];
}

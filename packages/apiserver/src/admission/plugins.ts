import type { ObjectAccess } from '../contract.ts';
import type { Authorization } from '../authz/authorization.ts';
import { defaultTolerationSeconds } from './default-toleration-seconds.ts';
import { rbacEscalation } from './rbac-escalation.ts';
import { namespaceLifecycle } from './namespace-lifecycle.ts';
import type { AdmissionPlugin } from './plugin.ts';
import { priority } from './priority.ts';
import { serviceAccountAdmission } from './service-account.ts';

export interface AdmissionDeps {
  readonly objects: ObjectAccess;
  readonly authorization: Authorization;
  sleep(delayMs: number, signal: AbortSignal): Promise<void>;
}

/** Every admission plugin, in upstream's order. The order decides who sees whose changes. */
export const admissionPlugins = ({ objects, authorization, sleep }: AdmissionDeps): readonly AdmissionPlugin[] => [
  namespaceLifecycle(objects),
  serviceAccountAdmission(objects, sleep),
  priority(objects),
  defaultTolerationSeconds,
  rbacEscalation(authorization),
];

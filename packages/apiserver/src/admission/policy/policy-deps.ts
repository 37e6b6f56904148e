import type { ResourceDefinition } from '@skiff/apimachinery';
import type { Authorizer } from '../../authz/authorizer.ts';
import type { PolicyMetrics } from './policy-metrics.ts';
import type { AdmissionRequest, ConvertObjects, ObjectAccess } from '../../contract.ts';

export interface PolicyDeps {
  readonly objects: ObjectAccess;
  /** All that is served: another array after each change. */
  readonly definitions: () => readonly ResourceDefinition[];
  /** For custom kinds that a webhook converts. */
  readonly convert: ConvertObjects;
  readonly authorizer: () => Authorizer;
  /** Absent: nobody counts. */
  readonly metrics?: PolicyMetrics | undefined;
}

const policyKinds: ReadonlySet<string> = new Set([
  'validatingadmissionpolicies',
  'validatingadmissionpolicybindings',
  'mutatingadmissionpolicies',
  'mutatingadmissionpolicybindings',
]);

/** Nobody could mend a policy that forbids changes of policies; reviews of access must go on whatever policies say. */
export function isExempt({ definition: d }: AdmissionRequest): boolean {
  if (d.group === 'admissionregistration.k8s.io') return policyKinds.has(d.plural);
  return d.group === 'authorization.k8s.io' || (d.group === 'authentication.k8s.io' && d.virtual === true);
}

import { type DeepReadonly, type FieldErrors, isNegativeError, nameIsDNSSubdomain, type ResourceStrategy } from '@skiff/apimachinery';
import type { Lease } from '../../generated/types/coordination-v1.ts';

function validateLease(lease: DeepReadonly<Lease>, errors: FieldErrors): void {
  const { leaseDurationSeconds: duration, leaseTransitions: transitions } = lease.spec ?? {};
  if (duration !== undefined && duration <= 0) errors.invalid('spec.leaseDurationSeconds', duration, 'must be greater than 0');
  if (transitions !== undefined && transitions < 0) errors.invalid('spec.leaseTransitions', transitions, isNegativeError);
}

/** Coordinated leader election is not served: its fields go. */
function dropCoordination(draft: Lease): void {
  delete draft.spec?.strategy;
  delete draft.spec?.preferredHolder;
}

export const leaseStrategy: ResourceStrategy<Lease> = {
  validateName: nameIsDNSSubdomain,
  allowCreateOnUpdate: true,
  allowUnconditionalUpdate: false,
  prepareForCreate: dropCoordination,
  prepareForUpdate: dropCoordination,
  validate: (lease, errors) => validateLease(lease, errors),
  validateUpdate: (lease, _old, errors) => validateLease(lease, errors),
};

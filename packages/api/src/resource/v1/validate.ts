import { type DeepReadonly, type FieldErrors, fieldImmutableError } from '@skiff/apimachinery';
import type { ResourceClaim, ResourceClaimTemplate, ResourceSlice } from '../../generated/types/resource-v1.ts';
import { goValue } from '../../go-value.ts';
import { semanticEqual } from '../../semantic-equality.ts';
import { validateDeviceClaim } from './validate-claim.ts';
import { validateSlice } from './validate-slice.ts';

/** What is asked for never changes: another claim has to be made. */
function frozenSpec(struct: string, now: object | undefined, old: object | undefined, errors: FieldErrors): void {
  if (!semanticEqual(struct, now, old)) errors.invalid('spec', goValue(struct, now ?? {}), fieldImmutableError);
}

export const validateClaimUpdate = (claim: DeepReadonly<ResourceClaim>, old: DeepReadonly<ResourceClaim>, errors: FieldErrors): void =>
  frozenSpec('io.k8s.api.resource.v1.ResourceClaimSpec', claim.spec, old.spec, errors);

export const validateTemplateUpdate = (
  template: DeepReadonly<ResourceClaimTemplate>,
  old: DeepReadonly<ResourceClaimTemplate>,
  errors: FieldErrors,
): void => {
  validateDeviceClaim(template.spec?.spec?.devices ?? {}, 'spec.spec.devices', errors);
  frozenSpec('io.k8s.api.resource.v1.ResourceClaimTemplateSpec', template.spec, old.spec, errors);
};

/** A slice stays one of its driver's pool, on its node. */
export const validateSliceUpdate = (slice: DeepReadonly<ResourceSlice>, old: DeepReadonly<ResourceSlice>, errors: FieldErrors): void =>
  validateSlice(slice, errors, old);

/** Who has a claim is told of in full, and what was allocated stays until it is given back. */
export function validateClaimStatusUpdate(claim: DeepReadonly<ResourceClaim>, old: DeepReadonly<ResourceClaim>, errors: FieldErrors): void {
  const { reservedFor = [], allocation } = claim.status ?? {};
  for (const [i, consumer] of reservedFor.entries()) {
    for (const field of ['resource', 'name', 'uid'] as const) if (!consumer[field]) errors.required(`status.reservedFor[${i}].${field}`);
  }
  if (reservedFor.length > 0 && allocation === undefined) {
    errors.forbidden('status.reservedFor', 'may not be specified when `allocated` is not set');
  }
  const before = old.status?.allocation;
  const struct = 'io.k8s.api.resource.v1.AllocationResult';
  if (allocation !== undefined && before !== undefined && !semanticEqual(struct, allocation, before)) {
    errors.invalid('status.allocation', goValue(struct, allocation), fieldImmutableError);
  }
}

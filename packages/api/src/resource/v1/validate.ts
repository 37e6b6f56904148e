import { type DeepReadonly, type FieldErrors, fieldImmutableError } from '@skiff/apimachinery';
import type { ResourceClaim, ResourceClaimTemplate, ResourceSlice } from '../../generated/types/resource-v1.ts';
import { goValue } from '../../go-value.ts';
import { semanticEqual } from '../../semantic-equality.ts';
import { validateClaimTemplateSpec } from './validate-claim.ts';
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
  validateClaimTemplateSpec(template.spec, errors);
  frozenSpec('io.k8s.api.resource.v1.ResourceClaimTemplateSpec', template.spec, old.spec, errors);
};

/** A slice stays one of its driver's pool, on its node. */
export const validateSliceUpdate = (slice: DeepReadonly<ResourceSlice>, old: DeepReadonly<ResourceSlice>, errors: FieldErrors): void =>
  validateSlice(slice, errors, old);

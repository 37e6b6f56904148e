import {
  type DeepReadonly,
  FieldErrors,
  isValidLabelValue,
  labelSelectorHasInvalidLabelValue,
  type ObjectMeta,
  validateLabelSelector,
} from '@skiff/apimachinery';
import type { NodeSelector, PodSpec } from '../../../generated/types/core-v1.ts';
import { localNonReservedPath } from '../file-paths.ts';

/** What a stored Pod has that today's rules refuse stays acceptable on update. */
export interface PodValidationOptions {
  /** A Pod, not a template of Pods. */
  readonly isPod: boolean;
  /** The Pod's metadata; absent for templates. */
  readonly meta?: DeepReadonly<ObjectMeta> | undefined;
  readonly allowInvalidLabelValueInSelector: boolean;
  readonly allowInvalidLabelValueInRequiredNodeAffinity: boolean;
  readonly allowInvalidTopologySpreadLabelSelector: boolean;
  readonly allowNonLocalProjectedTokenPath: boolean;
}

type Spec = DeepReadonly<PodSpec>;

const affinityTerms = (spec: Spec) =>
  [spec.affinity?.podAffinity, spec.affinity?.podAntiAffinity].flatMap((group) => [
    ...(group?.requiredDuringSchedulingIgnoredDuringExecution ?? []),
    ...(group?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map((t) => t.podAffinityTerm),
  ]);

const hasInvalidSelector = (spec: Spec): boolean =>
  affinityTerms(spec).some(
    (t) => labelSelectorHasInvalidLabelValue(t.labelSelector) || labelSelectorHasInvalidLabelValue(t.namespaceSelector),
  );

export const nodeSelectorHasInvalidLabelValue = (selector: DeepReadonly<NodeSelector> | undefined): boolean =>
  (selector?.nodeSelectorTerms ?? []).some((term) =>
    (term.matchExpressions ?? []).some((e) => (e.values ?? []).some((v) => isValidLabelValue(v).length > 0)),
  );

const hasInvalidNodeAffinity = (spec: Spec): boolean =>
  nodeSelectorHasInvalidLabelValue(spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution);

function fails(run: (errors: FieldErrors) => void): boolean {
  const errors = new FieldErrors();
  run(errors);
  return !errors.empty;
}

const hasInvalidSpreadSelector = (spec: Spec): boolean =>
  fails((errors) => {
    for (const c of spec.topologySpreadConstraints ?? []) validateLabelSelector(c.labelSelector, '', errors);
  });

const hasNonLocalTokenPath = (spec: Spec): boolean =>
  fails((errors) => {
    for (const source of (spec.volumes ?? []).flatMap((v) => v.projected?.sources ?? [])) {
      if (source.serviceAccountToken) localNonReservedPath(errors, '', source.serviceAccountToken.path);
    }
  });

export const podValidationOptions = (
  old: Spec | undefined,
  pod?: { meta: DeepReadonly<ObjectMeta> | undefined },
): PodValidationOptions => ({
  isPod: pod !== undefined,
  meta: pod?.meta,
  allowInvalidLabelValueInSelector: old !== undefined && hasInvalidSelector(old),
  allowInvalidLabelValueInRequiredNodeAffinity: old !== undefined && hasInvalidNodeAffinity(old),
  allowInvalidTopologySpreadLabelSelector: old !== undefined && hasInvalidSpreadSelector(old),
  allowNonLocalProjectedTokenPath: old !== undefined && hasNonLocalTokenPath(old),
});

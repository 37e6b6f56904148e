import type { Taint, Toleration } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';

/** Core v1's rules: an empty key with Exists tolerates every taint, an empty effect every effect. */
export function tolerates(toleration: DeepReadonly<Toleration>, taint: DeepReadonly<Taint>): boolean {
  if (toleration.effect && toleration.effect !== taint.effect) return false;
  if (toleration.key && toleration.key !== taint.key) return false;
  switch (toleration.operator) {
    case undefined:
    case '':
    case 'Equal':
      return (toleration.value ?? '') === (taint.value ?? '');
    case 'Exists':
      return true;
    default:
      return false;
  }
}

export const isTolerated = (tolerations: readonly DeepReadonly<Toleration>[] | undefined, taint: DeepReadonly<Taint>): boolean =>
  tolerations?.some((toleration) => tolerates(toleration, taint)) ?? false;

export const firstUntolerated = (
  tolerations: readonly DeepReadonly<Toleration>[] | undefined,
  taints: readonly DeepReadonly<Taint>[],
): DeepReadonly<Taint> | undefined => (taints.length === 0 ? undefined : taints.find((taint) => !isTolerated(tolerations, taint)));

import type { DeepReadonly, Quantity } from '@skiff/apimachinery';
import type { PodSpec, ResourceRequirements } from '../../../generated/types/core-v1.ts';
import { quantityNanos } from '../resource-list.ts';

const counted = ['cpu', 'memory'] as const;
type List = Readonly<Record<string, Quantity>> | undefined;

/**
 * BestEffort: nothing asked for; Guaranteed: every container limits CPU and memory, and requests are the limits; Burstable: all
 * else. Where the Pod has resources of its own, they alone count (KEP-2837).
 */
export function computePodQOSClass(spec: DeepReadonly<PodSpec> | undefined): 'Guaranteed' | 'Burstable' | 'BestEffort' {
  const requirements: readonly (DeepReadonly<ResourceRequirements> | undefined)[] = spec?.resources
    ? [spec.resources]
    : [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])].map((c) => c.resources);
  const requests = sum(requirements.map((r) => r?.requests));
  const limits = sum(requirements.map((r) => r?.limits));
  const none = (list: Map<string, bigint>): boolean => list.size === 0;
  if (none(requests) && none(limits)) return 'BestEffort';
  const allLimited = requirements.every((r) => counted.every((name) => quantityNanos(r?.limits?.[name]) > 0n));
  const equal = requests.size === limits.size && [...requests].every(([name, value]) => limits.get(name) === value);
  return allLimited && equal ? 'Guaranteed' : 'Burstable';
}

function sum(lists: readonly List[]): Map<string, bigint> {
  const total = new Map<string, bigint>();
  for (const list of lists) {
    for (const name of counted) {
      const value = quantityNanos(list?.[name]);
      if (value > 0n) total.set(name, (total.get(name) ?? 0n) + value);
    }
  }
  return total;
}

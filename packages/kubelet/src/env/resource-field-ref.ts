import type { ResourceFieldSelector } from '@skiff/api';
import { type DeepReadonly, parseQuantity, scaledQuantity } from '@skiff/apimachinery';
import type { ContainerSpec, PodSnapshot } from '../pod/pod-snapshot.ts';
import { initContainersOf } from '../pod/pod-snapshot.ts';

export type ResourceList = Readonly<Record<string, string>>;

const ceilDivide = (value: bigint, divisor: bigint): bigint => (value + divisor - 1n) / divisor;

/**
 * The value of a resourceFieldRef: rounded up to whole divisors. Limits that are not set are the pod's as a whole (KEP-2837), else
 * the node's allocatable; requests that are not set are 0.
 */
export function readResourceField(
  ref: DeepReadonly<ResourceFieldSelector>,
  pod: PodSnapshot,
  o: { readonly container: ContainerSpec | undefined; readonly allocatable: ResourceList },
): string {
  const container =
    ref.containerName === undefined || ref.containerName === ''
      ? o.container
      : [...pod.spec.containers, ...initContainersOf(pod)].find((c) => c.name === ref.containerName);
  if (container === undefined) throw new Error(`container ${ref.containerName ?? ''} not found`);
  const [kind, ...rest] = ref.resource.split('.');
  const name = rest.join('.');
  if (kind !== 'limits' && kind !== 'requests') throw new Error(`unsupported container resource : ${ref.resource}`);
  const set = container.resources?.[kind]?.[name];
  const ofPod = name === 'cpu' || name === 'memory' ? pod.spec.resources?.limits?.[name] : undefined;
  const text = set ?? (kind === 'limits' ? ((ofPod === '0' ? undefined : ofPod) ?? o.allocatable[name] ?? '0') : '0');
  // In thousandths, so that CPU divisors such as 1m work the same way as bytes do.
  const divisor = ref.divisor === undefined || ref.divisor === '0' ? 1000n : scaledQuantity(parseQuantity(ref.divisor), -3);
  return ceilDivide(scaledQuantity(parseQuantity(text), -3), divisor === 0n ? 1000n : divisor).toString();
}

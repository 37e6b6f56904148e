import { isExtendedResource } from '@skiff/api';
import { quantityMilliValue } from '@skiff/apimachinery';
import type { ResourceList } from '../env/resource-field-ref.ts';
import { type ContainerSpec, initContainersOf, isSidecar, type PodSnapshot } from './pod-snapshot.ts';

/** A resource that there is too little of. All in the resource's own unit; CPU in thousandths. */
export interface Shortage {
  readonly resource: string;
  readonly requested: number;
  readonly used: number;
  readonly capacity: number;
}

export const missingAmount = (s: Shortage): number => s.requested - (s.capacity - s.used);

/** What the scheduler counts: the containers together, or the largest init container with the sidecars before it. Thousandths. */
export function podRequest(pod: PodSnapshot, resource: string): number {
  const of = (c: ContainerSpec): number => {
    const text = c.resources?.requests?.[resource];
    return text === undefined ? 0 : quantityMilliValue(text);
  };
  let sidecars = 0;
  let peak = 0;
  for (const c of initContainersOf(pod)) {
    if (isSidecar(c)) sidecars += of(c);
    else peak = Math.max(peak, sidecars + of(c));
  }
  const own = pod.spec.resources?.requests?.[resource];
  const overhead = pod.spec.overhead?.[resource];
  const total =
    own === undefined ? Math.max(peak, sidecars + pod.spec.containers.reduce((sum, c) => sum + of(c), 0)) : quantityMilliValue(own);
  return total + (overhead === undefined ? 0 : quantityMilliValue(overhead));
}

const shown = (resource: string, milli: number): number => (resource === 'cpu' ? milli : Math.ceil(milli / 1000));

/** Whether resources of a running pod can grow to what its spec asks for by now. */
export function checkFit(
  pod: PodSnapshot,
  o: { readonly others: readonly PodSnapshot[]; readonly allocatable: ResourceList },
): { deferred: boolean; message: string } | undefined {
  for (const name of ['cpu', 'memory']) {
    const requested = podRequest(pod, name);
    const capacity = quantityMilliValue(o.allocatable[name] ?? '0');
    if (requested > capacity) {
      return { deferred: false, message: `Node didn't have enough capacity: ${name}, requested: ${requested}, capacity: ${capacity}` };
    }
    const used = o.others.reduce((sum, other) => sum + podRequest(other, name), 0);
    if (used + requested > capacity) {
      return {
        deferred: true,
        message: `Node didn't have enough resource: ${name}, requested: ${requested}, used: ${used}, capacity: ${capacity}`,
      };
    }
  }
  return undefined;
}

/** Everything that a pod asks for in vain. Extended resources that the node knows nothing of are the cluster's to give. */
export function findShortages(
  pod: PodSnapshot,
  o: { readonly others: readonly PodSnapshot[]; readonly allocatable: ResourceList },
): Shortage[] {
  const found: Shortage[] = [];
  const maxPods = Number(o.allocatable['pods'] ?? '110');
  if (o.others.length + 1 > maxPods) found.push({ resource: 'pods', requested: 1, used: o.others.length, capacity: maxPods });
  const lists = [pod.spec.resources, ...[...pod.spec.containers, ...initContainersOf(pod)].map((c) => c.resources)];
  const names = new Set(['cpu', 'memory', ...lists.flatMap((r) => Object.keys(r?.requests ?? {}))]);
  for (const resource of names) {
    const requested = podRequest(pod, resource);
    if (requested === 0 || (isExtendedResource(resource) && o.allocatable[resource] === undefined)) continue;
    const capacity = quantityMilliValue(o.allocatable[resource] ?? '0');
    const used = o.others.reduce((sum, other) => sum + podRequest(other, resource), 0);
    if (used + requested <= capacity) continue;
    const [r, u, c] = [requested, used, capacity].map((milli) => shown(resource, milli));
    found.push({ resource, requested: r ?? 0, used: u ?? 0, capacity: c ?? 0 });
  }
  return found;
}

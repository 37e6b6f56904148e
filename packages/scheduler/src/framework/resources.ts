import type { Pod } from '@skiff/api';
import { quantityMilliValue, quantityValue, type DeepReadonly, type Quantity } from '@skiff/apimachinery';

/** What a pod asks for or a node has. `scalar`: hugepages, attachable volumes and extended resources, by name. */
export interface Resources {
  milliCpu: number;
  memory: number;
  ephemeralStorage: number;
  readonly scalar: Map<string, number>;
}

type QuantityMap = Readonly<Record<string, Quantity>>;
type ContainerView = NonNullable<DeepReadonly<Pod>['spec']>['containers'][number];
type ContainerStatusView = NonNullable<NonNullable<DeepReadonly<Pod>['status']>['containerStatuses']>[number];

export const noResources = (): Resources => ({ milliCpu: 0, memory: 0, ephemeralStorage: 0, scalar: new Map() });

/** Names that a scheduler counts besides cpu, memory and ephemeral-storage. */
export const isScalarResourceName = (name: string): boolean =>
  name.includes('/') || name.startsWith('hugepages-') || name.startsWith('attachable-volumes-');

export function parseResources(quantities: QuantityMap | undefined): Resources {
  const resources = noResources();
  for (const [name, quantity] of Object.entries(quantities ?? {})) {
    if (name === 'cpu') resources.milliCpu = quantityMilliValue(quantity);
    else if (name === 'memory') resources.memory = quantityValue(quantity);
    else if (name === 'ephemeral-storage') resources.ephemeralStorage = quantityValue(quantity);
    else if (isScalarResourceName(name)) resources.scalar.set(name, quantityValue(quantity));
  }
  return resources;
}

export function addResources(to: Resources, from: Readonly<Resources>, sign: 1 | -1 = 1): void {
  to.milliCpu += sign * from.milliCpu;
  to.memory += sign * from.memory;
  to.ephemeralStorage += sign * from.ephemeralStorage;
  for (const [name, amount] of from.scalar) to.scalar.set(name, (to.scalar.get(name) ?? 0) + sign * amount);
}

function raiseTo(to: Resources, from: Readonly<Resources>): void {
  to.milliCpu = Math.max(to.milliCpu, from.milliCpu);
  to.memory = Math.max(to.memory, from.memory);
  to.ephemeralStorage = Math.max(to.ephemeralStorage, from.ephemeralStorage);
  for (const [name, amount] of from.scalar) to.scalar.set(name, Math.max(to.scalar.get(name) ?? 0, amount));
}

export function copyResources(from: Readonly<Resources>): Resources {
  return { ...from, scalar: new Map(from.scalar) };
}

/** What a container that names no request counts as when nodes are scored, so that many such pods don't pile up on one node. */
const assumedRequest = { milliCpu: 100, memory: 200 * 1024 * 1024 };

/**
 * What a pod occupies on its node: the larger of (all containers and sidecars together) and (the hungriest moment of initialisation),
 * or what it names for itself as a whole, plus overhead (KEP-753, KEP-2837). A resize that is under way counts with its largest figure (KEP-1287).
 */
export function computePodRequests(pod: DeepReadonly<Pod>, o: { assumeMissing?: boolean } = {}): Resources {
  const { spec, status } = pod;
  const total = noResources();
  if (spec === undefined) return total;
  const statuses = new Map([...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])].map((s) => [s.name, s]));
  const isInfeasible = status?.conditions?.some((c) => c.type === 'PodResizePending' && c.reason === 'Infeasible') ?? false;
  const requestsOf = (container: ContainerView): Resources => {
    const requests = effectiveRequests(container, statuses.get(container.name), isInfeasible);
    if (o.assumeMissing === true) {
      if (container.resources?.requests?.['cpu'] === undefined) requests.milliCpu = assumedRequest.milliCpu;
      if (container.resources?.requests?.['memory'] === undefined) requests.memory = assumedRequest.memory;
    }
    return requests;
  };
  for (const container of spec.containers) addResources(total, requestsOf(container));
  const sidecars = noResources();
  const initialisation = noResources();
  for (const container of spec.initContainers ?? []) {
    const requests = requestsOf(container);
    if (container.restartPolicy === 'Always') {
      addResources(total, requests);
      addResources(sidecars, requests);
      raiseTo(initialisation, sidecars);
    } else {
      addResources(requests, sidecars);
      raiseTo(initialisation, requests);
    }
  }
  raiseTo(total, initialisation);
  overrideByPodLevel(total, spec.resources?.requests);
  addResources(total, parseResources(spec.overhead));
  return total;
}

function effectiveRequests(container: ContainerView, status: ContainerStatusView | undefined, isInfeasible: boolean): Resources {
  const wanted = parseResources(container.resources?.requests);
  if (status?.resources === undefined) return wanted;
  const actual = parseResources(status.resources.requests);
  raiseTo(actual, parseResources(status.allocatedResources));
  if (!isInfeasible) raiseTo(actual, wanted);
  return actual;
}

function overrideByPodLevel(total: Resources, requests: QuantityMap | undefined): void {
  if (requests === undefined) return;
  const own = parseResources(requests);
  if (requests['cpu'] !== undefined) total.milliCpu = own.milliCpu;
  if (requests['memory'] !== undefined) total.memory = own.memory;
  for (const [name, amount] of own.scalar) if (name.startsWith('hugepages-')) total.scalar.set(name, amount);
}

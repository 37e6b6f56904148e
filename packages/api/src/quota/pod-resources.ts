import { compareQuantities, type DeepReadonly } from '@skiff/apimachinery';
import { addResources, maxResources, type ResourceList } from '../core/v1/resource-list.ts';
import { isPodLevelResource } from '../core/v1/resource-names.ts';
import type { Container, Pod } from '../generated/types/core-v1.ts';

type ContainerView = DeepReadonly<Container>;
type StatusView = NonNullable<NonNullable<DeepReadonly<Pod>['status']>['containerStatuses']>[number];

/**
 * What a pod asks for in all (KEP-753 sidecars, KEP-2837 pod-level resources): the larger of what runs together and the hungriest moment
 * of initialisation. A resize under way counts with its largest figure (KEP-1287) where `actual` is asked for; overhead is added then as well.
 */
export function podResourceTotals(pod: DeepReadonly<Pod>, which: 'requests' | 'limits', o: { readonly actual: boolean }): ResourceList {
  const { spec, status } = pod;
  if (spec === undefined) return {};
  const statuses = new Map([...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])].map((s) => [s.name, s]));
  const infeasible = status?.conditions?.some((c) => c.type === 'PodResizePending' && c.reason === 'Infeasible') ?? false;
  const of = (container: ContainerView): ResourceList => {
    const wanted = container.resources?.[which] ?? {};
    const current = o.actual ? statuses.get(container.name) : undefined;
    return current?.resources === undefined ? { ...wanted } : largestOf(current, which, infeasible ? undefined : wanted);
  };
  let total: ResourceList = {};
  for (const container of spec.containers) total = addResources(total, of(container));
  let sidecars: ResourceList = {};
  let initialisation: ResourceList = {};
  for (const container of spec.initContainers ?? []) {
    const own = of(container);
    if (container.restartPolicy === 'Always') {
      total = addResources(total, own);
      sidecars = addResources(sidecars, own);
      initialisation = maxResources(initialisation, sidecars);
    } else initialisation = maxResources(initialisation, addResources(own, sidecars));
  }
  total = maxResources(total, initialisation);
  for (const [name, quantity] of Object.entries(spec.resources?.[which] ?? {})) if (isPodLevelResource(name)) total[name] = quantity;
  return o.actual ? withOverhead(total, spec.overhead, which) : total;
}

function largestOf(status: StatusView, which: 'requests' | 'limits', wanted: DeepReadonly<ResourceList> | undefined): ResourceList {
  let largest: ResourceList = { ...status.resources?.[which] };
  if (which === 'requests') largest = maxResources(largest, status.allocatedResources);
  return wanted === undefined ? largest : maxResources(largest, wanted);
}

/** Overhead raises limits only where there is one. */
function withOverhead(total: ResourceList, overhead: DeepReadonly<ResourceList> | undefined, which: 'requests' | 'limits'): ResourceList {
  if (overhead === undefined) return total;
  if (which === 'requests') return addResources(total, overhead);
  const limited = Object.entries(overhead).filter(([name]) => total[name] !== undefined && compareQuantities(total[name], '0') !== 0);
  return addResources(total, Object.fromEntries(limited));
}

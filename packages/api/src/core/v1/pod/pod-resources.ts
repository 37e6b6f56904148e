import type { DeepReadonly } from '@skiff/apimachinery';
import type { PodSpec } from '../../../generated/types/core-v1.ts';
import { addResources, maxResources, type ResourceList } from '../resource-list.ts';

/**
 * What a Pod's containers need together: all app containers and sidecars at once, or, if more, one init container with the
 * sidecars started before it. Overhead and resources of the Pod itself are not in it.
 */
export function aggregateContainerResources(spec: DeepReadonly<PodSpec>, which: 'requests' | 'limits'): ResourceList {
  let total: ResourceList = {};
  for (const container of spec.containers ?? []) total = addResources(total, container.resources?.[which]);
  let sidecars: ResourceList = {};
  let initPeak: ResourceList = {};
  for (const container of spec.initContainers ?? []) {
    const own = container.resources?.[which];
    if (container.restartPolicy === 'Always') {
      total = addResources(total, own);
      sidecars = addResources(sidecars, own);
      initPeak = maxResources(initPeak, sidecars);
    } else {
      initPeak = maxResources(initPeak, addResources(own, sidecars));
    }
  }
  return maxResources(total, initPeak);
}

import type { PodSpec } from '../../../generated/types/core-v1.ts';
import { isHugePages, isOvercommitAllowed, isPodLevelResource } from '../resource-names.ts';
import { aggregateContainerResources } from './pod-resources.ts';

/**
 * KEP-2837. Where the Pod has resources of its own, what is missing there follows from its containers: huge page limits are their
 * sum; requests are their sum for what may be overcommitted, else the Pod's limits.
 */
export function defaultPodLevelResources(spec: PodSpec): void {
  const own = spec.resources;
  if (own === undefined) return;
  const count = (list: object | undefined): number => Object.keys(list ?? {}).length;

  if (count(own.limits) + count(own.requests) > 0) {
    const limits = { ...own.limits };
    for (const [name, quantity] of Object.entries(aggregateContainerResources(spec, 'limits'))) {
      if (isHugePages(name) && own.requests?.[name] === undefined) limits[name] ??= quantity;
    }
    if (count(limits) > 0) own.limits = limits;
  }
  if (count(own.limits) === 0) return;
  const requests = { ...own.requests };
  for (const [name, quantity] of Object.entries(aggregateContainerResources(spec, 'requests'))) {
    if (isPodLevelResource(name) && isOvercommitAllowed(name)) requests[name] ??= quantity;
  }
  for (const [name, quantity] of Object.entries(own.limits ?? {})) if (isPodLevelResource(name)) requests[name] ??= quantity;
  if (count(requests) > 0) own.requests = requests;
}

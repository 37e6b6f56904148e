import { lookupTable } from '@skiff/apimachinery';
/** Where a group version stands in discovery: APIService's `groupPriorityMinimum` and `versionPriority`. */
export interface Priority {
  readonly group: number;
  readonly version: number;
}

/** Upstream's numbers for what every cluster serves; a version without one of its own has 15. */
const builtinGroups = lookupTable<number>({
  '': 18000,
  apps: 17800,
  'events.k8s.io': 17750,
  'authentication.k8s.io': 17700,
  'authorization.k8s.io': 17600,
  autoscaling: 17500,
  batch: 17400,
  'certificates.k8s.io': 17300,
  'networking.k8s.io': 17200,
  policy: 17100,
  'rbac.authorization.k8s.io': 17000,
  'storage.k8s.io': 16800,
  'admissionregistration.k8s.io': 16700,
  'apiextensions.k8s.io': 16700,
  'scheduling.k8s.io': 16600,
  'coordination.k8s.io': 16500,
  'node.k8s.io': 16300,
  'discovery.k8s.io': 16200,
  'resource.k8s.io': 16200,
  'flowcontrol.apiserver.k8s.io': 16100,
});
const builtinVersions = lookupTable<number>({
  '/v1': 1,
  'autoscaling/v2': 30,
  'flowcontrol.apiserver.k8s.io/v1': 21,
  'resource.k8s.io/v1': 21,
});

/** Nothing is registered for the group of the registrations themselves; it comes first. */
export const registrationGroup = 'apiregistration.k8s.io';
const registrationPriority = 20_000;
const customPriority: Priority = { group: 1000, version: 100 };

/** What a group version is registered with by this server. */
export function priorityOf(group: string, version: string, custom: boolean): Priority {
  if (custom) return customPriority;
  if (group === registrationGroup) return { group: registrationPriority, version: 15 };
  return { group: builtinGroups[group] ?? customPriority.group, version: builtinVersions[`${group}/${version}`] ?? 15 };
}

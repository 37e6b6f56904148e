/** Which names of resources mean what. */
const nativePrefix = 'kubernetes.io/';

export const isHugePages = (name: string): boolean => name.startsWith('hugepages-');
/** In the kubernetes.io domain, where names without a domain are too. */
export const isNativeResource = (name: string): boolean => !name.includes('/') || name.includes(nativePrefix);
/** More may be promised than there is. Not so for huge pages and for what a domain of its own counts. */
export const isOvercommitAllowed = (name: string): boolean => isNativeResource(name) && !isHugePages(name);
/** What a Pod as a whole may ask for (KEP-2837). */
export const isPodLevelResource = (name: string): boolean => name === 'cpu' || name === 'memory' || isHugePages(name);

export const standardContainerResources: ReadonlySet<string> = new Set(['cpu', 'memory', 'ephemeral-storage']);
export const isStandardContainerResource = (name: string): boolean => standardContainerResources.has(name) || isHugePages(name);

const counted = [
  'pods',
  'resourcequotas',
  'services',
  'replicationcontrollers',
  'secrets',
  'configmaps',
  'persistentvolumeclaims',
  'services.nodeports',
  'services.loadbalancers',
];
const measured = [
  'cpu',
  'memory',
  'ephemeral-storage',
  'requests.cpu',
  'requests.memory',
  'requests.ephemeral-storage',
  'limits.cpu',
  'limits.memory',
  'limits.ephemeral-storage',
];

/** Counted in pieces. */
export const countedResources: ReadonlySet<string> = new Set(counted);
const quotaResources: ReadonlySet<string> = new Set([...measured, ...counted, 'requests.storage']);

const isQuotaHugePages = (name: string): boolean => isHugePages(name) || name.startsWith('requests.hugepages-');
export const isStandardQuotaResource = (name: string): boolean => quotaResources.has(name) || isQuotaHugePages(name);
/** Names without a domain that mean something. */
export const isStandardResource = (name: string): boolean => name === 'storage' || isStandardQuotaResource(name);

export { hostNames, type HostNames } from './host/names.ts';
export { cleanUpHost } from './host/cleanup.ts';
export { createProxy, type ProxyConfig, type ProxyDeps } from './proxy.ts';
export type * from './table/types.ts';

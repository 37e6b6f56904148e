export { type ApiServer, type ApiServerDeps, createApiServer } from './api-server.ts';
export { type ApiServerConfig, configFromFlags } from './config.ts';
export * from './contract.ts';
export { apiServerFlags } from './flags.ts';
export { createRegistry } from './registry/registry.ts';

import { builtinSchemas } from '@skiff/api';
import type { Logger } from '@skiff/component-base';
import type { RevisionedStore } from '@skiff/storage';
import type { Registry as MetricsRegistry } from 'prom-client';
import { issuerDiscoveryRoutes } from './authn/issuer-discovery.ts';
import type { VerificationKey } from './authn/service-account-token.ts';
import type { Bootstrap } from './bootstrap/bootstrap.ts';
import type { ApiServerConfig } from './config.ts';
import type { ResourceRegistry } from './contract.ts';
import { discoveryRoutes } from './discovery/discovery-routes.ts';
import { type DiscoverySources, groupDefinitions } from './discovery/documents.ts';
import { goPlatform, servedVersion, versionRoute } from './discovery/version.ts';
import { type HealthCheck, HealthResults, healthRoutes, pingCheck } from './health/health.ts';
import { zpages } from './health/zpages.ts';
import { openApiRoutes } from './openapi/openapi-routes.ts';
import type { PathRoute } from './paths.ts';
import { objectResponse } from './request/responses.ts';

export interface RouteDeps {
  readonly registry: ResourceRegistry;
  readonly serverAddress: () => string;
  readonly bootstrap: Bootstrap;
  readonly metricsRegistry: MetricsRegistry;
  readonly store: RevisionedStore;
  readonly keys: readonly VerificationKey[];
  /** APIServices, and what other apiservers serve. */
  readonly sources: DiscoverySources & { readonly generation: object };
  readonly state: { readonly initialized: boolean; readonly stopping: boolean };
  /** For people who look into the server. Not in the list of paths. */
  readonly debugRoutes: readonly PathRoute[];
  readonly flags: Readonly<Record<string, unknown>>;
  readonly startedMs: number;
  readonly nowMs: () => number;
  readonly log: Logger;
}

/** Everything that is served and is no resource: one table. */
export function createRoutes(config: ApiServerConfig, deps: RouteDeps): readonly PathRoute[] {
  const etcd: HealthCheck = { name: 'etcd', check: () => deps.store.ping() };
  const informers: HealthCheck = { name: 'informer-sync', check: () => (deps.state.initialized ? undefined : 'caches are not filled yet') };
  const shutdown: HealthCheck = { name: 'shutdown', check: () => (deps.state.stopping ? 'process is shutting down' : undefined) };
  const started = deps.bootstrap.checks;
  const health = { log: deps.log, results: new HealthResults() };
  const routes: PathRoute[] = [
    ...discoveryRoutes(deps),
    versionRoute(goPlatform()),
    ...openApiRoutes({ registry: deps.registry, schema: builtinSchemas, sources: deps.sources }),
    ...healthRoutes('livez', [pingCheck, ...started], health),
    ...healthRoutes('readyz', [pingCheck, etcd, informers, ...started, shutdown], health),
    ...healthRoutes('healthz', [pingCheck, etcd, ...started], health),
    ...issuerDiscoveryRoutes(config.serviceAccounts, deps.keys, deps.serverAddress),
    {
      path: '/metrics/slis',
      handle: () => ({ code: 200, contentType: deps.metricsRegistry.contentType, body: [Buffer.from(health.results.render())] }),
    },
    {
      path: '/metrics',
      handle: async () => ({
        code: 200,
        contentType: deps.metricsRegistry.contentType,
        body: [Buffer.from(await deps.metricsRegistry.metrics())],
      }),
    },
  ];
  const { flags, startedMs, nowMs } = deps;
  routes.push(...zpages({ flags, startedMs, nowMs, binaryVersion: servedVersion.gitVersion, paths: () => index() }));
  const index = (): string[] => {
    const groups = groupDefinitions(deps.registry.definitions(), deps.sources).filter((g) => g.group !== '');
    const apis = groups.flatMap((g) => [`/apis/${g.group}`, ...g.versions.map((v) => `/apis/${g.group}/${v.version}`)]);
    return [...new Set([...routes.map((r) => r.path).filter((p) => !p.endsWith('*')), '/api/v1', ...apis])].sort();
  };
  return [
    ...routes,
    ...deps.debugRoutes,
    { path: '/', handle: () => objectResponse(200, { paths: index() }, { mediaType: 'json', pretty: true }) },
  ];
}

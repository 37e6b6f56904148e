import { builtinResources, builtinSchemas } from '@skiff/api';
import type { KubeObject } from '@skiff/apimachinery';
import { silentLogger, systemClock } from '@skiff/component-base';
import { createMemoryStore, type DurableStore } from '@skiff/storage';
import type { ApiRequest, ApiResponse, ConvertObjects, RequestInfo, ResourceRegistry } from '../contract.ts';
import { createRegistry } from './registry.ts';

const stop = new Set<() => Promise<void>>();
/** Stops what the test started. */
export async function stopRegistries(): Promise<void> {
  for (const end of stop) await end();
  stop.clear();
}

/** A running registry of all built-in kinds on a store in memory, without admission. */
export async function startRegistry(store: DurableStore = createMemoryStore(), convert?: ConvertObjects): Promise<ResourceRegistry> {
  const controller = new AbortController();
  const registry = createRegistry(
    {
      definitions: builtinResources,
      schema: builtinSchemas,
      keyPrefix: '/registry',
      serviceClusterIpRanges: ['10.96.0.0/16'],
      serviceNodePortRange: { from: 30000, to: 32767 },
    },
    {
      store,
      clock: systemClock,
      log: silentLogger,
      admission: () => ({ mutate: async () => undefined, validate: async () => undefined }),
      ...(convert === undefined ? {} : { convert }),
      subresources: () => [],
      authorizeCreate: async () => undefined,
    },
  );
  const running = registry.run(controller.signal);
  stop.add(async () => {
    controller.abort();
    await running;
  });
  await registry.ready(controller.signal);
  return registry;
}

export interface Call {
  verb: string;
  resource: string;
  group?: string;
  version?: string;
  namespace?: string;
  name?: string;
  subresource?: string;
  query?: string;
  body?: unknown;
  contentType?: string;
  leader?: string;
  as?: 'Table' | 'PartialObjectMetadata' | 'PartialObjectMetadataList';
}

export function request(c: Call): ApiRequest {
  const info: RequestInfo = {
    isResourceRequest: true,
    path: '/',
    verb: c.verb,
    apiPrefix: 'api',
    group: c.group ?? '',
    version: c.version ?? 'v1',
    namespace: c.namespace ?? 'default',
    resource: c.resource,
    subresource: c.subresource ?? '',
    name: c.name ?? '',
    parts: [c.resource],
  };
  return {
    info,
    user: { name: 'tester', groups: [] },
    query: new URLSearchParams(c.query ?? ''),
    body: c.body === undefined ? Buffer.alloc(0) : Buffer.from(typeof c.body === 'string' ? c.body : JSON.stringify(c.body)),
    contentType: c.contentType ?? 'application/json',
    output: { mediaType: 'json', pretty: false, ...(c.as === undefined ? {} : { as: c.as }) },
    userAgent: 'vitest/1',
    ...(c.leader === undefined ? {} : { leader: c.leader }),
    signal: new AbortController().signal,
    warnings: [],
  };
}

export const text = (r: ApiResponse): string => Buffer.concat([...r.body]).toString('utf8');

/** One request past HTTP; throws the StatusError that the answer would be. */
export async function call<T = KubeObject>(registry: ResourceRegistry, c: Call): Promise<{ code: number; object: T; warnings: string[] }> {
  const r = request(c);
  const endpoint = registry.lookup(r.info.group, r.info.version, r.info.resource, r.info.subresource);
  const method = endpoint?.[c.verb as 'get'];
  if (method === undefined) throw new Error(`no ${c.verb} on ${c.resource}`);
  const response = await method(r);
  return { code: response.code, object: JSON.parse(text(response)) as T, warnings: r.warnings };
}

import { createHash } from 'node:crypto';
import type { ApiResponse, ResourceRegistry } from '../contract.ts';
import type { PathHandler, PathRequest, PathRoute } from '../paths.ts';
import { negotiateOutput, parseAccept } from '../request/negotiate.ts';
import { objectResponse, resourceNotServed } from '../request/responses.ts';
import { header } from '../server/exchange.ts';
import {
  apiGroupDiscoveryList,
  apiGroupDocument,
  apiGroupList,
  apiResourceList,
  apiVersions,
  type DiscoverySources,
  groupDefinitions,
  type ServedGroup,
} from './documents.ts';

const aggregatedType = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';

/** Does the client take the aggregated document before the plain one? */
function wantsAggregated(accept: string): boolean {
  for (const clause of parseAccept(accept)) {
    if (clause.type !== 'application' && clause.type !== '*') continue;
    const as = clause.params.get('as');
    if (as === undefined) {
      if (clause.subtype === 'json' || clause.subtype === 'yaml' || clause.subtype === '*') return false;
      continue;
    }
    if (
      clause.subtype === 'json' &&
      as === 'APIGroupDiscoveryList' &&
      clause.params.get('g') === 'apidiscovery.k8s.io' &&
      clause.params.get('v') === 'v2'
    )
      return true;
  }
  return false;
}

interface Aggregated {
  readonly body: Buffer;
  readonly etag: string;
}

/**
 * /api, /apis and what is below them. Documents follow the registry: they are made again when its definitions are another
 * array than last time.
 */
export function discoveryRoutes(deps: {
  registry: Pick<ResourceRegistry, 'definitions'>;
  serverAddress: () => string;
  sources: DiscoverySources & { readonly generation: object };
}): readonly PathRoute[] {
  let madeFrom: readonly unknown[] = [];
  let groups: readonly ServedGroup[] = [];
  let aggregated = new Map<boolean, Aggregated>();
  const current = (): readonly ServedGroup[] => {
    const definitions = deps.registry.definitions();
    const { generation } = deps.sources;
    if (definitions !== madeFrom[0] || generation !== madeFrom[1]) {
      madeFrom = [definitions, generation];
      groups = groupDefinitions(definitions, deps.sources);
      aggregated = new Map();
    }
    return groups;
  };

  const plain = (r: PathRequest, value: unknown): ApiResponse => {
    const output = negotiateOutput(header(r.request, 'accept'), { transformable: false, protobuf: false });
    return objectResponse(200, value, { ...output, pretty: output.pretty || r.pretty });
  };

  const aggregatedResponse = (r: PathRequest, core: boolean): ApiResponse => {
    const served = current();
    let document = aggregated.get(core);
    if (document === undefined) {
      const body = Buffer.from(`${JSON.stringify(apiGroupDiscoveryList(served, core))}\n`);
      document = { body, etag: `"${createHash('sha512').update(body).digest('hex').toUpperCase()}"` };
      aggregated.set(core, document);
    }
    const headers = { etag: document.etag, vary: 'Accept', 'cache-control': 'public' };
    if (header(r.request, 'if-none-match') === document.etag) return { code: 304, contentType: '', body: [], headers };
    return { code: 200, contentType: aggregatedType, body: [document.body], headers };
  };

  const root =
    (core: boolean): PathHandler =>
    (r) => {
      const accept = header(r.request, 'accept');
      if (wantsAggregated(accept)) return aggregatedResponse(r, core);
      return plain(r, core ? apiVersions(current(), deps.serverAddress()) : apiGroupList(current()));
    };

  const below: PathHandler = (r) => {
    const [prefix, ...rest] = r.path.replace(/^\/+|\/+$/g, '').split('/');
    const [group, version] = prefix === 'api' ? ['', rest[0]] : [rest[0] ?? '', rest[1]];
    const found = current().find((g) => g.group === group);
    if (found === undefined) return undefined;
    if (version === undefined) return plain(r, apiGroupDocument(found));
    const served = found.versions.find((v) => v.version === version);
    if (served === undefined) {
      if (group === '') throw resourceNotServed();
      return undefined;
    }
    return plain(r, apiResourceList(found.group, served));
  };

  return [
    { path: '/api', handle: root(true) },
    { path: '/api/*', handle: below },
    { path: '/apis', handle: root(false) },
    { path: '/apis/*', handle: below },
  ];
}

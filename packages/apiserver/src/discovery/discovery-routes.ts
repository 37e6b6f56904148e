import { createHash } from 'node:crypto';
import { type JsonObject, protobufEnvelope } from '@skiff/apimachinery';
import type { ApiResponse, ResourceRegistry } from '../contract.ts';
import type { PathHandler, PathRequest, PathRoute } from '../paths.ts';
import { negotiateOutput, parseAccept } from '../request/negotiate.ts';
import { protobufBodies, protobufMediaType } from '../request/protobuf-body.ts';
import { yamlText } from '../request/yaml-text.ts';
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

const aggregatedParameters = ';g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
const mediaTypes = { json: 'application/json', yaml: 'application/yaml', protobuf: protobufMediaType } as const;
type Format = keyof typeof mediaTypes;

/** The format of the aggregated document, if the client takes that before the plain one. */
function aggregatedFormat(accept: string): Format | undefined {
  for (const clause of parseAccept(accept)) {
    if (clause.type !== 'application' && clause.type !== '*') continue;
    const formats = Object.entries(mediaTypes) as readonly [Format, string][];
    const found = formats.find(([, type]) => type === `application/${clause.subtype}` || clause.subtype === '*')?.[0];
    const as = clause.params.get('as');
    if (as === undefined) {
      if (found !== undefined) return undefined;
      continue;
    }
    const isOurs = as === 'APIGroupDiscoveryList' && clause.params.get('g') === 'apidiscovery.k8s.io' && clause.params.get('v') === 'v2';
    if (isOurs && found !== undefined) return found;
  }
  return undefined;
}

/** The protobuf form of a document. Some have no apiVersion, as upstream's. */
function discoveryMessage(document: JsonObject, prefix: string): Buffer {
  const { kind, apiVersion } = document as { kind: string; apiVersion?: string };
  return protobufEnvelope(apiVersion ?? '', kind, protobufBodies.encoder.message(`${prefix}.${kind}`, document));
}

interface Aggregated {
  readonly value: JsonObject;
  readonly bodies: Map<Format, Buffer>;
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

  const plain = (r: PathRequest, value: JsonObject): ApiResponse => {
    const output = negotiateOutput(header(r.request, 'accept'), { transformable: false, protobuf: true });
    if (output.mediaType === 'protobuf')
      return { code: 200, contentType: protobufMediaType, body: [discoveryMessage(value, 'io.k8s.apimachinery.pkg.apis.meta.v1')] };
    return objectResponse(200, value, { ...output, pretty: output.pretty || r.pretty });
  };

  const bodyOf = ({ value, bodies }: Aggregated, format: Format): Buffer => {
    let body = bodies.get(format);
    if (body === undefined) {
      body =
        format === 'json'
          ? Buffer.from(`${JSON.stringify(value)}\n`)
          : format === 'yaml'
            ? Buffer.from(yamlText(value))
            : discoveryMessage(value, 'io.k8s.api.apidiscovery.v2');
      bodies.set(format, body);
    }
    return body;
  };

  const aggregatedResponse = (r: PathRequest, core: boolean, format: Format): ApiResponse => {
    const served = current();
    let document = aggregated.get(core);
    if (document === undefined) {
      const value = apiGroupDiscoveryList(served, core);
      const etag = `"${createHash('sha512').update(JSON.stringify(value)).digest('hex').toUpperCase()}"`;
      document = { value, bodies: new Map(), etag };
      aggregated.set(core, document);
    }
    const headers = { etag: document.etag, vary: 'Accept', 'cache-control': 'public' };
    if (header(r.request, 'if-none-match') === document.etag) return { code: 304, contentType: '', body: [], headers };
    return { code: 200, contentType: `${mediaTypes[format]}${aggregatedParameters}`, body: [bodyOf(document, format)], headers };
  };

  const root =
    (core: boolean): PathHandler =>
    (r) => {
      const accept = header(r.request, 'accept');
      const format = aggregatedFormat(accept);
      if (format !== undefined) return aggregatedResponse(r, core, format);
      return plain(r, core ? apiVersions(current(), deps.serverAddress()) : apiGroupList(current()));
    };

  const below: PathHandler = (r) => {
    const [prefix, ...rest] = r.path.replace(/^\/+|\/+$/g, '').split('/');
    const [group, version] = prefix === 'api' ? ['', rest[0]] : [rest[0] ?? '', rest[1]];
    const found = current().find((g) => g.group === group);
    if (found === undefined) return undefined;
    if (version === undefined) return plain(r, apiGroupDocument(found));
    const served = found.versions.find((v) => v.version === version);
    if (served === undefined) throw resourceNotServed();
    return plain(r, apiResourceList(found.group, served));
  };

  return [
    { path: '/api', handle: root(true) },
    { path: '/api/*', handle: below },
    { path: '/apis', handle: root(false) },
    { path: '/apis/*', handle: below },
  ];
}

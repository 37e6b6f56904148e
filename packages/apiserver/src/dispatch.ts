import { leaderHeader } from './registry/leader-guard.ts';
import { badRequest, notFound, ProtobufError, type ResourceDefinition, StatusError } from '@skiff/apimachinery';
import type {
  ApiRequest,
  ApiResponse,
  Lifetime,
  OpenWatch,
  OutputFormat,
  RequestAudit,
  RequestInfo,
  ResourceEndpoint,
  ResourceRegistry,
  SubresourceHandler,
  UserInfo,
} from './contract.ts';
import type { ConnectHandler } from './connect/connect-handler.ts';
import { negotiateOutput, parseMediaType, wantsPretty } from './request/negotiate.ts';
import { methodNotServed, resourceNotServed } from './request/responses.ts';
import { protobufBodies, protobufMediaType, stringifyExactly } from './request/protobuf-body.ts';
import { isCustom } from './registry/render.ts';
import { type Exchange, header } from './server/exchange.ts';
import { hasNoBody, noBody, readBody } from './server/request-body.ts';

const collectionVerbs: ReadonlySet<string> = new Set(['create', 'list', 'watch', 'deletecollection']);

/**
 * The endpoint behind a URL, by the shape of its path: resources of a namespace are listed and watched, not written, without
 * one; nothing cluster-wide is found inside a namespace. Throws NotFound or MethodNotAllowed.
 */
export function findEndpoint(registry: Pick<ResourceRegistry, 'lookup'>, info: RequestInfo): ResourceEndpoint {
  const endpoint = registry.lookup(info.group, info.version, info.resource, info.subresource);
  if (endpoint === undefined) {
    const parent = info.subresource === '' ? undefined : registry.lookup(info.group, info.version, info.resource, '');
    if (parent?.definition.custom === undefined) throw resourceNotServed();
    throw notFound({ group: info.group, resource: info.resource }, info.name);
  }
  if (info.name === '.' || info.name === '..')
    throw badRequest(`Name parameter invalid: ${JSON.stringify(info.name)}: may not be '${info.name}'`);
  const { scope, plural } = endpoint.definition;
  const isCollection = info.parts.length === 1;
  if (scope === 'Namespaced' && info.namespace === '') {
    if (!isCollection) throw resourceNotServed();
    if (info.verb !== 'list' && info.verb !== 'watch') throw methodNotServed();
  }
  if (scope === 'Cluster' && info.namespace !== '' && (plural !== 'namespaces' || info.name !== info.namespace)) throw resourceNotServed();
  if (info.parts.length > 3 || info.parts.some((p) => p === '')) throw resourceNotServed();
  if (isCollection !== collectionVerbs.has(info.verb) && !(info.verb === 'create' && info.subresource !== '') && info.verb !== 'watch') {
    throw methodNotServed();
  }
  return endpoint;
}

/** The registry with the front's own endpoints (reviews, tokens) in front of it. */
export function withHandlers(registry: ResourceRegistry, handlers: readonly SubresourceHandler[]): Pick<ResourceRegistry, 'lookup'> {
  const own = new Map<string, ResourceEndpoint>();
  for (const h of handlers) {
    const definition = registry.definitions().find((d) => d.group === h.group && d.version === h.version && d.plural === h.resource);
    if (definition !== undefined) own.set(`${h.group}/${h.version}/${h.resource}/${h.subresource}`, h.create(definition));
  }
  return {
    lookup: (group, version, resource, subresource) =>
      own.get(`${group}/${version}/${resource}/${subresource}`) ?? registry.lookup(group, version, resource, subresource),
  };
}

/** Which groups and versions there are; follows the registry's definitions. */
export function servedVersions(registry: Pick<ResourceRegistry, 'definitions'>): (group: string, version: string) => boolean {
  let madeFrom: unknown;
  let known = new Set<string>();
  return (group, version) => {
    const definitions = registry.definitions();
    if (definitions !== madeFrom) {
      madeFrom = definitions;
      known = new Set(definitions.map((d) => `${d.group}/${d.version}`));
    }
    return known.has(`${group}/${version}`);
  };
}

export const connectKey = (info: RequestInfo): string => `${info.group}/${info.resource}/${info.subresource}`;

export function connectHandlers(handlers: readonly ConnectHandler[]): ReadonlyMap<string, ConnectHandler> {
  return new Map(handlers.map((h) => [`${h.group}/${h.resource}/${h.subresource}`, h]));
}

/** The request as the registry sees it: negotiated, with its body read. Only what lives in a namespace has one. */
export async function toApiRequest(
  x: Exchange,
  definition: ResourceDefinition,
  r: {
    readonly info: RequestInfo;
    readonly user: UserInfo;
    readonly query: URLSearchParams;
    readonly lifetime: Lifetime;
    readonly warnings: string[];
    readonly audit?: RequestAudit | undefined;
    readonly bodyLimitBytes: number;
  },
): Promise<ApiRequest> {
  const userAgent = header(x.request, 'user-agent');
  const leader = header(x.request, leaderHeader);
  let output = negotiateOutput(header(x.request, 'accept'), {
    transformable: isRead(definition, r.info.subresource),
    // The Scale of a custom resource is a built-in kind.
    protobuf: isCustom(definition) && r.info.subresource !== 'scale' ? 'metadata' : true,
    streams: r.info.verb === 'list' || r.info.verb === 'watch',
  });
  if (!output.pretty && wantsPretty(r.query, userAgent)) output = { ...output, pretty: true };
  let contentType = header(x.request, 'content-type');
  // What is there and says nothing is no JSON.
  if (contentType !== '') contentType = parseMediaType(contentType).mediaType || 'unknown';
  if (r.info.verb === 'patch' && !patchTypes.has(contentType)) throw unsupportedPatchType();
  const body = hasNoBody(x.request) ? noBody : await readBody(x.request, r.bodyLimitBytes);
  const info = definition.scope === 'Cluster' && r.info.namespace !== '' ? { ...r.info, namespace: '' } : r.info;
  return new ReceivedRequest(
    {
      info,
      user: r.user,
      query: deprecatedWatchQuery(r.info, r.query),
      body,
      contentType,
      output,
      userAgent,
      leader,
      warnings: r.warnings,
      audit: r.audit,
    },
    r.lifetime,
  );
}

/** A class for the sake of its getter: one in an object literal is made anew for each request, and that is dear. */
class ReceivedRequest implements ApiRequest {
  readonly info: RequestInfo;
  readonly user: UserInfo;
  readonly query: URLSearchParams;
  readonly body: Buffer;
  readonly contentType: string;
  readonly output: OutputFormat;
  readonly userAgent: string;
  readonly leader?: string;
  readonly warnings: string[];
  readonly audit: RequestAudit | undefined;
  readonly #lifetime: Lifetime;

  constructor(r: Omit<ApiRequest, 'signal'>, lifetime: Lifetime) {
    this.info = r.info;
    this.user = r.user;
    this.query = r.query;
    this.body = r.body;
    this.contentType = r.contentType;
    this.output = r.output;
    this.userAgent = r.userAgent;
    if (r.leader !== undefined && r.leader !== '') this.leader = r.leader;
    this.warnings = r.warnings;
    this.audit = r.audit;
    this.#lifetime = lifetime;
  }

  get signal(): AbortSignal {
    return this.#lifetime.signal;
  }
}

/** What can only be created, as reviews and bindings, is never shown in tables. */
export function isRead(definition: ResourceDefinition, subresource: string): boolean {
  const verbs = subresource === '' ? definition.verbs : (definition.subresources?.[subresource]?.verbs ?? definition.verbs);
  return verbs.some((verb) => verb !== 'create');
}

const patchTypes: ReadonlySet<string> = new Set([
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
]);
const unsupportedPatchType = (): StatusError => new StatusError('UnsupportedMediaType', '415: Unsupported Media Type', { details: {} });

/** The JSON of a protobuf body: endpoints know only JSON and YAML. Throws BadRequest. */
function fromProtobuf(received: Buffer): Buffer {
  if (received.length === 0) return received;
  try {
    return Buffer.from(stringifyExactly(protobufBodies.decodeObject(received)));
  } catch (error) {
    if (error instanceof ProtobufError) throw badRequest(error.message);
    throw error;
  }
}

/** `/api/v1/watch/…/pods/name` is a watch of one object: the same as a field selector for its name. */
function deprecatedWatchQuery(info: RequestInfo, query: URLSearchParams): URLSearchParams {
  if (info.verb !== 'watch' || info.parts.length < 2 || info.name === '') return query;
  const out = new URLSearchParams(query);
  out.set('watch', 'true');
  out.set('fieldSelector', `metadata.name=${info.name}`);
  return out;
}

/** Calls the verb's method. undefined: it was a watch, and it is over. */
export async function callEndpoint(endpoint: ResourceEndpoint, received: ApiRequest, open: OpenWatch): Promise<ApiResponse | undefined> {
  const isProtobuf = received.contentType === protobufMediaType && received.info.verb !== 'patch';
  const r = isProtobuf
    ? new ReceivedRequest({ ...received, body: fromProtobuf(received.body), contentType: 'application/json' }, received)
    : received;
  if (r.audit !== undefined && r.info.verb === 'patch') r.audit.requestPatch(r.body);
  switch (r.info.verb) {
    case 'watch':
      if (endpoint.watch === undefined) throw methodNotServed();
      await endpoint.watch(r, open);
      return undefined;
    case 'get':
    case 'list':
    case 'create':
    case 'update':
    case 'patch':
    case 'delete':
    case 'deletecollection': {
      const response = await endpoint[r.info.verb]?.(r);
      if (response === undefined) throw methodNotServed();
      return response;
    }
    default:
      throw methodNotServed();
  }
}

import { createHash } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { type JsonObject, type SchemaRegistry, StatusError } from '@skiff/apimachinery';
import type { ApiResponse, ResourceRegistry } from '../contract.ts';
import { type DiscoverySources, groupDefinitions } from '../discovery/documents.ts';
import type { PathRequest, PathRoute } from '../paths.ts';
import { parseAccept } from '../request/negotiate.ts';
import { objectResponse } from '../request/responses.ts';
import { header } from '../server/exchange.ts';
import { type DocumentParts, v2Document, v3Documents, withExtensions } from './documents.ts';
import { encodeDefinition, encodeDocument, encodePath } from './gnostic.ts';

const gzipAsync = promisify(gzip);
const gunzipAsync = promisify(gunzip);

/** A finished document. Kept compressed: there are many of them and each is asked for once in a while. */
interface StoredDocument {
  readonly gzipped: Buffer;
  readonly etag: string;
  readonly hash: string;
}

const protobufV2 = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';
/** How old kubectls ask for the same. */
const protobufV2Old = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';

const longestTurnMs = 10;

/** Renders entries in turns of a few milliseconds, so that nobody waits for a document to be made. */
async function inTurns<T>(entries: Iterable<readonly [string, JsonObject]>, render: (name: string, value: JsonObject) => T): Promise<T[]> {
  const out: T[] = [];
  let began = performance.now();
  for (const [name, value] of entries) {
    out.push(render(name, value));
    if (performance.now() - began < longestTurnMs) continue;
    await turn();
    began = performance.now();
  }
  return out;
}

async function store(bytes: Buffer): Promise<StoredDocument> {
  const hash = createHash('sha512').update(bytes).digest('hex').toUpperCase();
  return { gzipped: await gzipAsync(bytes), hash, etag: `"${hash}"` };
}

const member = (name: string, value: JsonObject): string => `${JSON.stringify(name)}:${JSON.stringify(value)}`;

async function assembleV3(parts: DocumentParts): Promise<StoredDocument> {
  const paths = await inTurns(parts.paths(), member);
  const schemas = await inTurns(parts.schemas(), member);
  const { components, ...frame } = parts.frame;
  const { securitySchemes } = components as JsonObject;
  const head = JSON.stringify(frame).slice(0, -1);
  const models = schemas.length === 0 ? '' : `"schemas":{${schemas.join(',')}},`;
  return await store(
    Buffer.from(`${head},"paths":{${paths.join(',')}},"components":{${models}"securitySchemes":${JSON.stringify(securitySchemes)}}}`),
  );
}

async function assembleV2Json(parts: DocumentParts): Promise<StoredDocument> {
  const paths = await inTurns(parts.paths(), member);
  const definitions = await inTurns(parts.schemas(), member);
  const head = JSON.stringify(parts.frame).slice(0, -1);
  return await store(Buffer.from(`${head},"paths":{${paths.join(',')}},"definitions":{${definitions.join(',')}}}`));
}

async function assembleV2Protobuf(parts: DocumentParts): Promise<StoredDocument> {
  const paths = await inTurns(parts.paths(), encodePath);
  const definitions = await inTurns(parts.schemas(), encodeDefinition);
  return await store(encodeDocument(parts.frame, Buffer.concat(paths), Buffer.concat(definitions)));
}

/** Everything that was made from one set of definitions; promises, so that two who ask at once share the work. */
interface Generation {
  readonly madeFrom: unknown;
  readonly others: object;
  readonly parts: ReadonlyMap<string, DocumentParts>;
  readonly v3: Map<string, Promise<StoredDocument>>;
  v2: Promise<StoredDocument> | undefined;
  v2Protobuf: Promise<StoredDocument> | undefined;
  index: Promise<JsonObject> | undefined;
}

const yearSeconds = 365 * 24 * 3600;

async function respond(r: PathRequest, document: StoredDocument, contentType: string, immutable: boolean): Promise<ApiResponse> {
  const headers: Record<string, string> = {
    etag: document.etag,
    vary: 'Accept',
    ...(immutable ? { 'cache-control': `public, immutable, max-age=${yearSeconds}` } : {}),
  };
  if (header(r.request, 'if-none-match') === document.etag) return { code: 304, contentType: '', body: [], headers };
  if (/(?:^|[,\s])gzip/.test(header(r.request, 'accept-encoding'))) {
    return {
      code: 200,
      contentType,
      body: [document.gzipped],
      headers: { ...headers, 'content-encoding': 'gzip', vary: 'Accept, Accept-Encoding' },
    };
  }
  return { code: 200, contentType, body: [await gunzipAsync(document.gzipped)], headers };
}

/** The first of `served` that the client takes; undefined: none. */
function accepted(r: PathRequest, served: readonly string[]): string | undefined {
  const accept = header(r.request, 'accept');
  if (accept === '') return served[0];
  for (const clause of parseAccept(accept)) {
    const found = served.find((s) =>
      clause.type === '*' ? true : s === `${clause.type}/${clause.subtype}` || (clause.subtype === '*' && s.startsWith(`${clause.type}/`)),
    );
    if (found !== undefined) return found;
  }
  return undefined;
}

const notAcceptable = (served: readonly string[]): StatusError =>
  new StatusError('NotAcceptable', `only the following media types are accepted: ${served.join(', ')}`);

/** /openapi/v2 as JSON and protobuf, /openapi/v3 as an index and a document for each group version, made when they are first asked for. */
export function openApiRoutes(deps: {
  registry: Pick<ResourceRegistry, 'definitions'>;
  schema: SchemaRegistry;
  /** Documents of other apiservers, which are part of the whole. Their v3 documents themselves are theirs to serve. */
  sources: Pick<DiscoverySources, 'extensions'> & { readonly generation: object };
}): readonly PathRoute[] {
  let generation: Generation | undefined;
  const current = (): Generation => {
    const definitions = deps.registry.definitions();
    const { generation: others } = deps.sources;
    if (generation?.madeFrom !== definitions) {
      generation = {
        madeFrom: definitions,
        others,
        parts: v3Documents(deps.schema, groupDefinitions(definitions)),
        v3: new Map(),
        v2: undefined,
        v2Protobuf: undefined,
        index: undefined,
      };
    } else if (generation.others !== others) {
      generation = { ...generation, others, v2: undefined, v2Protobuf: undefined, index: undefined };
    }
    return generation;
  };
  const v3Document = (g: Generation, key: string): Promise<StoredDocument> | undefined => {
    let made = g.v3.get(key);
    if (made === undefined) {
      const parts = g.parts.get(key);
      if (parts === undefined) return undefined;
      made = assembleV3(parts);
      g.v3.set(key, made);
    }
    return made;
  };
  const makeIndex = async (g: Generation): Promise<JsonObject> => {
    const paths: JsonObject = {};
    for (const key of [...g.parts.keys()].sort()) {
      const document = await v3Document(g, key);
      paths[key] = { serverRelativeURL: `/openapi/v3/${key}?hash=${document?.hash ?? ''}` };
    }
    for (const { group, version, openApiV3 } of deps.sources.extensions())
      if (openApiV3 !== undefined) paths[`apis/${group}/${version}`] = { serverRelativeURL: openApiV3 };
    return { paths };
  };
  const wholeV2 = (): DocumentParts =>
    withExtensions(v2Document(deps.schema, groupDefinitions(deps.registry.definitions())), deps.sources.extensions());
  return [
    {
      path: '/openapi/v2',
      handle: async (r) => {
        const served = ['application/json', protobufV2, protobufV2Old];
        const type = accepted(r, served);
        if (type === undefined) throw notAcceptable(served);
        const g = current();
        if (type === 'application/json') {
          g.v2 ??= assembleV2Json(wholeV2());
          return await respond(r, await g.v2, type, false);
        }
        g.v2Protobuf ??= assembleV2Protobuf(wholeV2());
        return await respond(r, await g.v2Protobuf, protobufV2, false);
      },
    },
    {
      path: '/openapi/v3',
      handle: async () => {
        const g = current();
        g.index ??= makeIndex(g);
        return objectResponse(200, await g.index, { mediaType: 'json', pretty: false });
      },
    },
    {
      path: '/openapi/v3/*',
      handle: async (r) => {
        const key = r.path.slice('/openapi/v3/'.length).replace(/\/$/, '');
        const document = await v3Document(current(), key);
        if (document === undefined) return undefined;
        const served = ['application/json'];
        if (accepted(r, served) === undefined) throw notAcceptable(served);
        const asked = r.query.get('hash');
        if (asked !== null && asked !== document.hash) {
          return { code: 301, contentType: '', body: [], headers: { location: `/openapi/v3/${key}?hash=${document.hash}` } };
        }
        return await respond(r, document, 'application/json', asked !== null);
      },
    },
  ];
}

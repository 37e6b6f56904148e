import { builtinSchemas } from '@skiff/api';
import {
  badRequest,
  cannotBeHandled,
  createTypedCodec,
  DecodeError,
  formatGroupVersion,
  type JsonObject,
  type KubeObject,
  parseJson,
  type ParsedJson,
  type ResourceDefinition,
  StatusError,
  strictDecodingError,
} from '@skiff/apimachinery';
import { parse as parseYaml } from 'yaml';
import type { ApiRequest, ApiResponse, ResourceEndpoint } from '../contract.ts';
import { ensureNamespace } from '../registry/object-metadata.ts';
import { present } from '../registry/present.ts';

/** The kind in the body: for a subresource another than the definition's. */
export interface ReviewKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly schemaName: string;
}

function parseBody(r: ApiRequest): ParsedJson {
  if (r.contentType === '' || r.contentType === 'application/json') {
    try {
      return parseJson(r.body);
    } catch (error) {
      throw badRequest(`the body is no JSON: ${(error as Error).message}`);
    }
  }
  if (r.contentType === 'application/yaml') {
    try {
      return { value: parseYaml(r.body.toString('utf8'), { version: '1.1', maxAliasCount: 100 }) as JsonObject };
    } catch (error) {
      throw badRequest(`the body is no YAML: ${(error as Error).message}`);
    }
  }
  throw new StatusError(
    'UnsupportedMediaType',
    'the body of the request was in an unknown format - accepted media types include: application/json, application/yaml',
  );
}

function decode<T extends KubeObject>(r: ApiRequest, kind: ReviewKind): T {
  const codec = createTypedCodec<T>(builtinSchemas, kind.schemaName);
  const parsed = parseBody(r);
  const given = parsed.value as JsonObject | null;
  const apiVersion = formatGroupVersion(kind.group, kind.version);
  if (typeof given === 'object' && given !== null) {
    const said = { apiVersion: given['apiVersion'], kind: given['kind'] };
    if (typeof said.apiVersion === 'string' && said.apiVersion !== '' && said.apiVersion !== apiVersion) {
      throw badRequest(`the API version in the data (${said.apiVersion}) does not match the expected API version (${apiVersion})`);
    }
    if (typeof said.kind === 'string' && said.kind !== '' && said.kind !== kind.kind) {
      throw badRequest(`the kind in the data (${said.kind}) does not match the expected kind (${kind.kind})`);
    }
  }
  try {
    const { object, strictErrors } = codec.decode(parsed);
    const validation = r.query.get('fieldValidation') ?? 'Warn';
    if (strictErrors.length > 0 && validation === 'Strict') throw cannotBeHandled(kind, strictDecodingError(strictErrors));
    if (validation !== 'Ignore') r.warnings.push(...strictErrors);
    codec.applyDefaults(object);
    object.kind = kind.kind;
    object.apiVersion = apiVersion;
    r.audit?.requestObject(object, () => codec.encodeResponse(object as never));
    return object;
  } catch (error) {
    if (error instanceof DecodeError) throw cannotBeHandled(kind, error.message);
    throw error;
  }
}

function respond<T extends KubeObject>(r: ApiRequest, kind: ReviewKind, object: T): ApiResponse {
  const text = createTypedCodec<T>(builtinSchemas, kind.schemaName).encodeResponse(object as never);
  return present(201, [Buffer.from(`${text}\n`)], r.output);
}

/** An endpoint that stores nothing: what is posted comes back with its status filled in by `evaluate`, which may change it freely. */
export function reviewEndpoint<T extends KubeObject>(
  definition: ResourceDefinition,
  subresource: string,
  kind: ReviewKind,
  evaluate: (review: T, r: ApiRequest) => T | Promise<T>,
): ResourceEndpoint {
  return {
    definition,
    subresource,
    create: async (r) => {
      const review = decode<T>(r, kind);
      ensureNamespace((review.metadata ??= {}), definition, r.info.namespace);
      return respond(r, kind, await evaluate(review, r));
    },
  };
}

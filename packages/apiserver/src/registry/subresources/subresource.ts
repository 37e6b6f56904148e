import {
  badRequest,
  cannotBeHandled,
  createTypedCodec,
  DecodeError,
  type FieldManager,
  formatGroupVersion,
  type JsonObject,
  parseGroupVersion,
  type ResourceDefinition,
  type SchemaRegistry,
  strictDecodingError,
} from '@skiff/apimachinery';
import type { ApiRequest, ApiResponse, ObjectAccess, ResourceEndpoint } from '../../contract.ts';
import { present, presentValue } from '../present.ts';
import { parseRequestBody, unrecognizedBody } from '../request-body.ts';
import type { FieldValidation } from '../request-options.ts';
import type { WriteDeps, WriteTarget } from '../write-endpoints.ts';

export interface SubresourceDeps extends WriteDeps {
  readonly schema: SchemaRegistry;
  readonly objects: ObjectAccess;
  definition(group: string, plural: string): ResourceDefinition | undefined;
  target(d: ResourceDefinition, subresource: string): WriteTarget;
  /** Tracks the parent's fields for writes through a subresource of another kind. */
  fieldManager(d: ResourceDefinition, subresource: string): FieldManager;
}

/** A subresource with logic of its own over the registry: one file each, listed in `subresources.ts`. */
export interface RegistrySubresource {
  readonly subresource: string;
  /** Does this definition's subresource belong to it? */
  handles(d: ResourceDefinition): boolean;
  create(d: ResourceDefinition, deps: SubresourceDeps): ResourceEndpoint;
}

/** The kind that a body has, where it is not the parent's. */
export interface BodyKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly schemaName: string;
}

/** Decodes and defaults a body of another kind than the parent. Throws BadRequest. */
export function decodeSubresourceBody<T extends object>(
  k: BodyKind,
  schema: SchemaRegistry,
  r: ApiRequest,
  validation: FieldValidation,
): T {
  const parsed = parseRequestBody(r, unrecognizedBody(r.body, k.kind));
  checkNames(parsed.value, k);
  const codec = createTypedCodec<T>(schema, k.schemaName);
  try {
    const { object, strictErrors } = codec.decode(parsed);
    if (strictErrors.length > 0 && validation === 'Strict') throw cannotBeHandled(k, strictDecodingError(strictErrors));
    if (validation === 'Warn') r.warnings.push(...strictErrors);
    codec.applyDefaults(object);
    r.audit?.requestObject(object);
    return object;
  } catch (error) {
    if (error instanceof DecodeError) throw cannotBeHandled(k, error.message);
    throw error;
  }
}

function checkNames(body: JsonObject, k: BodyKind): void {
  const { kind, apiVersion } = body;
  const expected = formatGroupVersion(k.group, k.version);
  if (typeof kind === 'string' && kind !== '' && kind !== k.kind) {
    const { version } = parseGroupVersion(typeof apiVersion === 'string' ? apiVersion : '');
    const from = `${version}.${kind}`;
    const to = `${k.group === '' ? 'core' : (k.group.split('.')[0] ?? '')}.${k.kind}`;
    throw badRequest(
      `${kind} in version ${JSON.stringify(version)} cannot be handled as a ${k.kind}: converting (${from}) to (${to}): unknown conversion`,
    );
  }
  // policy/v1beta1 evictions and other old versions have the same structure.
  const group =
    typeof apiVersion === 'string' && apiVersion !== ''
      ? apiVersion.includes('/')
        ? apiVersion.slice(0, apiVersion.indexOf('/'))
        : ''
      : k.group;
  if (group !== k.group)
    throw badRequest(`the API version in the data (${String(apiVersion)}) does not match the expected API version (${expected})`);
}

/** The answer of actions that have nothing to show. */
export const success = (r: ApiRequest, code: number): ApiResponse =>
  presentValue(code, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code }, r.output);

/** An object of a kind that is not stored. */
export function presentObject<T extends object>(
  schemaName: string,
  schema: SchemaRegistry,
  object: T,
  o: { r: ApiRequest; code: number },
): ApiResponse {
  const text = createTypedCodec<T>(schema, schemaName).encodeResponse(object as never);
  return present(o.code, [Buffer.from(`${text}\n`)], o.r.output);
}

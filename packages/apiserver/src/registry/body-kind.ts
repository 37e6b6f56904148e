import {
  badRequest,
  formatGroupVersion,
  invalid,
  type JsonObject,
  parseGroupVersion,
  type ResourceDefinition,
  type StatusError,
} from '@skiff/apimachinery';

/** The definition of a kind that this server knows. */
export type KindLookup = (group: string, version: string, kind: string) => ResourceDefinition | undefined;

const goName = (d: { group: string; kind: string }, version?: string): string =>
  version === undefined ? `${d.group === '' ? 'core' : (d.group.split('.')[0] ?? '')}.${d.kind}` : `${version}.${d.kind}`;

/** Any kind can be read as a custom one; that it is another is found afterwards. */
function customKindError(
  body: JsonObject,
  d: ResourceDefinition,
  said: { readonly kind: string; readonly apiVersion: string; readonly expected: string },
): StatusError {
  if (said.apiVersion !== said.expected)
    return badRequest(`the API version in the data (${said.apiVersion}) does not match the expected API version (${said.expected})`);
  const { name } = (body['metadata'] ?? {}) as { name?: unknown };
  const error = {
    reason: 'FieldValueInvalid',
    field: 'kind',
    body: `Invalid value: ${JSON.stringify(said.kind)}: must be ${d.kind}`,
  } as const;
  return invalid({ group: d.group, kind: said.kind }, typeof name === 'string' ? name : '', [error]);
}

/** The kind and apiVersion of a body must be the endpoint's; absent ones are. Throws BadRequest in upstream's words. */
export function checkBodyKind(body: JsonObject, d: ResourceDefinition, kinds: KindLookup): void {
  const kind = typeof body['kind'] === 'string' && body['kind'] !== '' ? body['kind'] : d.kind;
  const expected = formatGroupVersion(d.group, d.version);
  const apiVersion = typeof body['apiVersion'] === 'string' && body['apiVersion'] !== '' ? body['apiVersion'] : expected;
  if (kind === d.kind && apiVersion === expected) return;
  if (d.custom !== undefined) throw customKindError(body, d, { kind, apiVersion, expected });
  const { group, version } = parseGroupVersion(apiVersion);
  const said = kinds(group, version, kind);
  const prefix = `${kind} in version ${JSON.stringify(version)} cannot be handled as a ${d.kind}:`;
  if (said === undefined)
    throw badRequest(
      `${prefix} no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)} in scheme "pkg/api/legacyscheme/scheme.go:30"`,
    );
  if (said.storagePrefix !== d.storagePrefix)
    throw badRequest(`${prefix} converting (${goName(said, version)}) to (${goName(d)}): unknown conversion`);
  throw badRequest(`the API version in the data (${apiVersion}) does not match the expected API version (${expected})`);
}

import type { JsonObject, SchemaRegistry } from '@skiff/apimachinery';
import type { ExtensionVersion } from '../aggregation/extension-documents.ts';
import type { ServedGroup } from '../discovery/documents.ts';
import { customModels } from './custom-schemas.ts';
import { describeOperation, describeParameter } from './operation-descriptions.ts';
import { meta, type Operation, type Parameter, type PathItem } from './operation-model.ts';
import { documentPath, groupIdentifier, groupVersionPaths, isCustomGroup } from './operations.ts';
import { type ModelOptions, renderSchemas, schemaReference } from './schemas.ts';

const info = { title: 'Kubernetes', version: '1.36' };
const securityScheme = { type: 'apiKey', description: 'Bearer token', name: 'authorization', in: 'header' };
const customTypes = ['application/json', 'application/yaml'];
const objectTypes = [...customTypes, 'application/vnd.kubernetes.protobuf'];
const listTypes = [...objectTypes, 'application/json;stream=watch', 'application/vnd.kubernetes.protobuf;stream=watch'];
const producedTypes: Readonly<Record<Operation['produces'], readonly string[]>> = {
  object: objectTypes,
  list: listTypes,
  json: ['application/json'],
  document: ['application/json'],
  log: ['text/plain', ...objectTypes],
  keys: ['application/jwk-set+json'],
  any: ['*/*'],
};
const responseTexts: Readonly<Record<string, string>> = { 200: 'OK', 201: 'Created', 202: 'Accepted' };

/** Custom kinds are not served in protobuf. */
const typesOf = (o: Operation): readonly string[] =>
  o.custom === true && (o.produces === 'object' || o.produces === 'list') ? customTypes : producedTypes[o.produces];

const allOperations = (items: readonly PathItem[]): readonly Operation[] => items.flatMap((i) => i.operations);

function rootSchemas(items: readonly PathItem[]): ReadonlySet<string> {
  const roots = new Set<string>();
  for (const o of allOperations(items)) {
    if (o.body !== undefined) roots.add(o.body.schema);
    for (const schema of Object.values(o.responses)) if (schema !== undefined) roots.add(schema);
  }
  return roots;
}

const descriptionOf = (description: string | undefined): JsonObject => (description === undefined ? {} : { description });

const shared = (o: Operation): JsonObject => ({
  ...(o.action === undefined ? {} : { 'x-kubernetes-action': o.action }),
  ...(o.kind === undefined ? {} : { 'x-kubernetes-group-version-kind': { ...o.kind } }),
});

// ---- version 3

function operationV3(o: Operation): JsonObject {
  const content = (types: readonly string[], schema: JsonObject): JsonObject => Object.fromEntries(types.map((t) => [t, { schema }]));
  const responses: JsonObject = {};
  for (const [code, schema] of Object.entries(o.responses)) {
    const value = schema === undefined ? { type: 'string' } : schemaReference(schema, 3);
    responses[code] = { description: responseTexts[code] ?? '', content: content(typesOf(o), value) };
  }
  responses['401'] = { description: 'Unauthorized' };
  return {
    tags: [o.tag],
    ...descriptionOf(describeOperation(o)),
    operationId: o.id,
    ...(o.parameters.length === 0 ? {} : { parameters: o.parameters.map(parameterV3) }),
    ...(o.body === undefined
      ? {}
      : {
          requestBody: {
            content: content(o.body.types ?? (o.custom === true ? customTypes : ['*/*']), schemaReference(o.body.schema, 3)),
            ...(o.body.required ? { required: true } : {}),
          },
        }),
    responses,
    ...shared(o),
  };
}

const parameterV3 = (p: Parameter): JsonObject => ({
  name: p.name,
  in: p.in,
  ...descriptionOf(describeParameter(p)),
  ...(p.in === 'path' ? { required: true } : {}),
  schema: { type: p.type, uniqueItems: true },
});

function pathV3(item: PathItem): JsonObject {
  return {
    ...Object.fromEntries(item.operations.map((o) => [o.method, operationV3(o)])),
    ...(item.parameters.length === 0 ? {} : { parameters: item.parameters.map(parameterV3) }),
  };
}

/**
 * A document in pieces that are made one by one, when they are asked for: documents are big, and whoever puts one together lets
 * other work happen in between.
 */
export interface DocumentParts {
  /** Everything but paths and schemas. */
  readonly frame: JsonObject;
  paths(): Iterable<readonly [string, JsonObject]>;
  schemas(): Iterable<readonly [string, JsonObject]>;
}

function* pathEntries(items: readonly PathItem[], render: (item: PathItem) => JsonObject): Generator<readonly [string, JsonObject]> {
  for (const item of items) yield [item.path, render(item)];
}

const documentV3 = (
  registry: SchemaRegistry,
  items: () => readonly PathItem[],
  o: Pick<ModelOptions, 'groupVersions' | 'custom'>,
): DocumentParts => ({
  frame: { openapi: '3.0.0', info, components: { securitySchemes: { BearerToken: securityScheme } } },
  paths: () => pathEntries(items(), pathV3),
  schemas: () => renderSchemas(registry, rootSchemas(items()), { version: 3, ...o }),
});

/** The documents of /openapi/v3 by their path below it. */
export function v3Documents(registry: SchemaRegistry, groups: readonly ServedGroup[]): ReadonlyMap<string, DocumentParts> {
  const out = new Map<string, DocumentParts>();
  const custom = customModels(groups);
  const plain = (key: string, item: PathItem): void => {
    out.set(
      key,
      documentV3(registry, () => [item], { groupVersions: [], custom }),
    );
  };
  plain(
    '.well-known/openid-configuration',
    documentPath('/.well-known/openid-configuration', 'getServiceAccountIssuerOpenIDConfiguration', 'WellKnown', undefined, 'document'),
  );
  plain('openid/v1/jwks', documentPath('/openid/v1/jwks', 'getServiceAccountIssuerOpenIDKeyset', 'openid', undefined, 'keys'));
  plain('version', documentPath('/version', 'getCodeVersion', 'version', 'io.k8s.apimachinery.pkg.version.Info', 'json'));
  plain('api', documentPath('/api', 'getCoreAPIVersions', 'core', `${meta}.APIVersions`));
  plain('apis', documentPath('/apis', 'getAPIVersions', 'apis', `${meta}.APIGroupList`));
  for (const g of groups) {
    if (g.group !== '' && !g.versions.every(isCustomGroup)) plain(`apis/${g.group}`, groupItem(g));
    for (const v of g.versions) {
      const gv = { group: g.group, version: v.version };
      const groupVersions = gv.group === '' ? [gv] : [{ group: '', version: 'v1' }, gv];
      out.set(
        g.group === '' ? `api/${v.version}` : `apis/${g.group}/${v.version}`,
        documentV3(registry, () => groupVersionPaths(registry, g.group, v), { groupVersions, custom }),
      );
    }
  }
  return out;
}

function groupItem(g: ServedGroup): PathItem {
  const identifier = groupIdentifier(g.group);
  return documentPath(
    `/apis/${g.group}`,
    `get${identifier}APIGroup`,
    identifier.charAt(0).toLowerCase() + identifier.slice(1),
    `${meta}.APIGroup`,
  );
}

// ---- version 2

/** What an operation without a body takes is the same that it answers with, where it is about no kind. */
function consumesOf(o: Operation): JsonObject {
  if (o.produces === 'keys' || o.produces === 'document') return {};
  if (o.body?.types !== undefined) return { consumes: [...o.body.types] };
  return { consumes: o.action === undefined || o.custom === true ? [...typesOf(o)] : ['*/*'] };
}

const parameterV2 = (p: Parameter): JsonObject => ({
  in: p.in,
  ...descriptionOf(describeParameter(p)),
  name: p.name,
  ...(p.in === 'path' ? { required: true } : {}),
  type: p.type,
  uniqueItems: true,
});

function operationV2(o: Operation): JsonObject {
  const body: JsonObject[] =
    o.body === undefined
      ? []
      : [{ in: 'body', name: 'body', ...(o.body.required ? { required: true } : {}), schema: schemaReference(o.body.schema, 2) }];
  const parameters = [...body, ...o.parameters.map(parameterV2)];
  const responses: JsonObject = {};
  for (const [code, schema] of Object.entries(o.responses)) {
    responses[code] = {
      description: responseTexts[code] ?? '',
      schema: schema === undefined ? { type: 'string' } : schemaReference(schema, 2),
    };
  }
  responses['401'] = { description: 'Unauthorized' };
  return {
    tags: [o.tag],
    ...descriptionOf(describeOperation(o)),
    ...consumesOf(o),
    produces: [...typesOf(o)],
    schemes: ['https'],
    operationId: o.id,
    ...(parameters.length === 0 ? {} : { parameters }),
    responses,
    ...shared(o),
  };
}

function pathV2(item: PathItem): JsonObject {
  return {
    ...Object.fromEntries(item.operations.map((o) => [o.method, operationV2(o)])),
    ...(item.parameters.length === 0 ? {} : { parameters: item.parameters.map(parameterV2) }),
  };
}

/** A v2 document with what other apiservers add to it. Models that both have are taken from this one. */
export function withExtensions(own: DocumentParts, extensions: readonly ExtensionVersion[]): DocumentParts {
  const parts = extensions.flatMap((e) => e.openApiV2 ?? []);
  if (parts.length === 0) return own;
  function* merged(
    first: Iterable<readonly [string, JsonObject]>,
    more: (part: (typeof parts)[number]) => JsonObject,
  ): Generator<readonly [string, JsonObject]> {
    const seen = new Set<string>();
    for (const entry of first) {
      seen.add(entry[0]);
      yield entry;
    }
    for (const part of parts) {
      for (const [name, value] of Object.entries(more(part))) {
        if (seen.has(name)) continue;
        seen.add(name);
        yield [name, value as JsonObject];
      }
    }
  }
  return {
    frame: own.frame,
    paths: () => merged(own.paths(), (p) => p.paths),
    schemas: () => merged(own.schemas(), (p) => p.definitions),
  };
}

/** The whole of /openapi/v2. */
export function v2Document(registry: SchemaRegistry, groups: readonly ServedGroup[]): DocumentParts {
  const items = (): readonly PathItem[] =>
    [
      documentPath('/.well-known/openid-configuration', 'getServiceAccountIssuerOpenIDConfiguration', 'WellKnown', undefined, 'document'),
      documentPath('/openid/v1/jwks', 'getServiceAccountIssuerOpenIDKeyset', 'openid', undefined, 'keys'),
      documentPath('/version', 'getCodeVersion', 'version', 'io.k8s.apimachinery.pkg.version.Info', 'json'),
      documentPath('/api', 'getCoreAPIVersions', 'core', `${meta}.APIVersions`),
      documentPath('/apis', 'getAPIVersions', 'apis', `${meta}.APIGroupList`),
      ...groups.filter((g) => g.group !== '' && !g.versions.every(isCustomGroup)).map(groupItem),
      ...groups.flatMap((g) => g.versions.flatMap((v) => groupVersionPaths(registry, g.group, v))),
    ].sort((a, b) => (a.path < b.path ? -1 : 1));
  const groupVersions = groups.flatMap((g) => g.versions.map((v) => ({ group: g.group, version: v.version })));
  return {
    frame: { swagger: '2.0', info, securityDefinitions: { BearerToken: securityScheme }, security: [{ BearerToken: [] }] },
    paths: () => pathEntries(items(), pathV2),
    schemas: () => renderSchemas(registry, rootSchemas(items()), { version: 2, groupVersions, custom: customModels(groups) }),
  };
}

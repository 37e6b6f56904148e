import { existsSync, readFileSync } from 'node:fs';
import { builtinResources, builtinSchemas } from '@skiff/api';
import type { JsonObject } from '@skiff/apimachinery';
import { describe, expect, it } from 'vitest';
import { groupDefinitions } from '../discovery/documents.ts';
import { type Digests, digestOf, readRecord, refreshRecord } from '../discovery/official-record.ts';
import { type DocumentParts, v2Document, v3Documents } from './documents.ts';

const whole = (parts: DocumentParts | undefined) => ({
  paths: Object.fromEntries(parts?.paths() ?? []),
  schemas: Object.fromEntries(parts?.schemas() ?? []),
});

const oracle = new URL('../../../../../shared/oracle/openapi-v2-1.36.json', import.meta.url).pathname;
const present = existsSync(oracle);
if (!present) console.warn(`SKIPPED: no recorded OpenAPI document at ${oracle}`);

/** Without what we don't say (descriptions, media types, unions) and with shared parameters put back where they are used. */
function normalize(value: unknown, parameters: Record<string, unknown>): unknown {
  if (Array.isArray(value)) return value.map((v) => normalize(v, parameters));
  if (typeof value !== 'object' || value === null) return value;
  const o = value as Record<string, unknown>;
  const ref = o['$ref'];
  if (typeof ref === 'string' && ref.startsWith('#/parameters/'))
    return normalize(parameters[ref.slice('#/parameters/'.length)], parameters);
  const out: Record<string, unknown> = {};
  for (const [key, v] of Object.entries(o)) {
    if ((key === 'description' && typeof v === 'string') || key === 'consumes' || key === 'produces' || key === 'x-kubernetes-unions')
      continue;
    // The recorded document was made with a generator's default, without them; a running server has them.
    if (key === 'enum' && Array.isArray(v)) continue;
    out[key] = normalize(v, parameters);
  }
  return out;
}
const byName = (list: unknown): unknown =>
  Array.isArray(list)
    ? (list as { name: string; in: string }[])
        .filter((p) => p.name !== 'shardSelector')
        .sort((a, b) => (`${a.name} ${a.in}` < `${b.name} ${b.in}` ? -1 : 1))
    : undefined;
const isGa = (path: string): boolean =>
  !/\/v\d+(?:alpha|beta)\d+(?:\/|$)|\/apis\/(?:internal\.apiserver|storagemigration)\.k8s\.io|^\/logs\//.test(path);

const groups = groupDefinitions(builtinResources);

const { paths: ourPaths, schemas: ourDefinitions } = whole(v2Document(builtinSchemas, groups));
const gaPaths = (paths: object): readonly string[] => Object.keys(paths).filter(isGa).toSorted();

function operations(item: unknown, parameters: Record<string, unknown>): Record<string, unknown> {
  const normalized = normalize(item, parameters) as Record<string, Record<string, unknown>>;
  return Object.fromEntries(
    Object.entries(normalized).map(([method, o]) => [
      method,
      method === 'parameters' ? byName(o) : { ...o, parameters: byName(o['parameters']) },
    ]),
  );
}

const shared = new Set(['io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions', 'io.k8s.apimachinery.pkg.apis.meta.v1.WatchEvent']);
function definition(name: string, schema: unknown): Record<string, unknown> {
  const out = { ...(normalize(schema, {}) as Record<string, unknown> | undefined) };
  if (shared.has(name)) delete out['x-kubernetes-group-version-kind'];
  // Upstream has a list marker on a byte string, which can't mean anything.
  if (name.endsWith('.APIServiceSpec'))
    delete (out as { properties: Record<string, JsonObject> }).properties['caBundle']?.['x-kubernetes-list-type'];
  return out;
}

/** One digest for the operations of each group version, and one for the definitions of each package. */
function digests(paths: JsonObject, definitions: JsonObject, parameters: Record<string, unknown>): Digests {
  const parts = new Map<string, Record<string, unknown>>();
  const put = (part: string, key: string, value: unknown): void => void parts.set(part, { ...parts.get(part), [key]: value });
  for (const path of gaPaths(paths))
    put(/^\/(?:apis\/[^/]+\/[^/]+|[^/]+(?:\/v1)?)/.exec(path)?.[0] ?? path, path, operations(paths[path], parameters));
  for (const name of Object.keys(ourDefinitions)) put(name.slice(0, name.lastIndexOf('.')), name, definition(name, definitions[name]));
  return Object.fromEntries([...parts].map(([part, value]) => [part, digestOf(value)] as const).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

const record = new URL('official-openapi.json', import.meta.url);

it('/openapi/v2 has the digests of upstream’s', () => {
  expect(digests(ourPaths, ourDefinitions, {})).toEqual(readRecord(record));
});

describe.skipIf(!present)('/openapi/v2 equals upstream', () => {
  const theirs = JSON.parse(present ? readFileSync(oracle, 'utf8') : '{"paths":{},"definitions":{}}') as {
    paths: JsonObject;
    definitions: JsonObject;
    parameters: Record<string, unknown>;
  };

  it('which is what the record is of', () => {
    const official = digests(theirs.paths, theirs.definitions, theirs.parameters);
    expect(refreshRecord(record, official)).toEqual(official);
  });

  it('has the same paths', () => {
    expect(gaPaths(ourPaths)).toEqual(gaPaths(theirs.paths));
  });

  it('has the same operations', () => {
    for (const [path, item] of Object.entries(ourPaths))
      expect({ path, ...operations(item, theirs.parameters) }).toEqual({ path, ...operations(theirs.paths[path], theirs.parameters) });
  });

  it('has the same definitions', () => {
    for (const [name, schema] of Object.entries(ourDefinitions))
      expect({ name, ...definition(name, schema) }).toEqual({ name, ...definition(name, theirs.definitions[name]) });
  });
});

describe('/openapi/v3', () => {
  const documents = v3Documents(builtinSchemas, groups);
  it('has a document for each group version', () => {
    expect([...documents.keys()]).toEqual(expect.arrayContaining(['api', 'api/v1', 'apis', 'apis/apps', 'apis/apps/v1', 'version']));
  });
  it('tells kubectl about server-side validation', () => {
    const apps = whole(documents.get('apis/apps/v1')) as unknown as {
      paths: Record<string, Record<string, { parameters: { name: string }[] }>>;
    };
    const patch = apps.paths['/apis/apps/v1/namespaces/{namespace}/deployments/{name}']?.['patch'];
    expect(patch?.parameters.map((p) => p.name)).toEqual(['dryRun', 'fieldManager', 'fieldValidation', 'force']);
    expect(patch).toMatchObject({ 'x-kubernetes-group-version-kind': { group: 'apps', version: 'v1', kind: 'Deployment' } });
  });
  it('has defaults and wrapped references', () => {
    const { schemas } = whole(documents.get('api/v1')) as unknown as { schemas: Record<string, { properties: Record<string, unknown> }> };
    expect(schemas['io.k8s.api.core.v1.ContainerPort']?.properties['protocol']).toEqual({
      description: expect.stringMatching(/TCP/) as string,
      type: 'string',
      default: 'TCP',
      enum: ['SCTP', 'TCP', 'UDP'],
    });
    expect(schemas['io.k8s.api.core.v1.Pod']?.properties['spec']).toEqual({
      description: expect.any(String) as string,
      default: {},
      allOf: [{ $ref: '#/components/schemas/io.k8s.api.core.v1.PodSpec' }],
    });
  });
});

import { existsSync, readFileSync } from 'node:fs';
import { builtinResources, builtinSchemas } from '@skiff/api';
import type { JsonObject } from '@skiff/apimachinery';
import { describe, expect, it } from 'vitest';
import { groupDefinitions } from '../discovery/documents.ts';
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

describe.skipIf(!present)('/openapi/v2 equals upstream', () => {
  const theirs = JSON.parse(present ? readFileSync(oracle, 'utf8') : '{"paths":{},"definitions":{}}') as {
    paths: JsonObject;
    definitions: JsonObject;
    parameters: Record<string, unknown>;
  };
  const { paths, schemas: definitions } = whole(v2Document(builtinSchemas, groups));
  const ours = { paths, definitions };
  const parameters = theirs.parameters;

  it('has the same paths', () => {
    expect(Object.keys(ours.paths).filter(isGa).sort()).toEqual(Object.keys(theirs.paths).filter(isGa).sort());
  });

  it('has the same operations', () => {
    const pick = (item: unknown): Record<string, unknown> => {
      const normalized = normalize(item, parameters) as Record<string, Record<string, unknown>>;
      return Object.fromEntries(
        Object.entries(normalized).map(([method, o]) => [
          method,
          method === 'parameters' ? byName(o) : { ...o, parameters: byName(o['parameters']) },
        ]),
      );
    };
    for (const [path, item] of Object.entries(ours.paths)) expect({ path, ...pick(item) }).toEqual({ path, ...pick(theirs.paths[path]) });
  });

  it('has the same definitions', () => {
    const shared = new Set(['io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions', 'io.k8s.apimachinery.pkg.apis.meta.v1.WatchEvent']);
    for (const [name, schema] of Object.entries(ours.definitions)) {
      const expected = normalize(theirs.definitions[name], {}) as Record<string, unknown> | undefined;
      const actual = normalize(schema, {}) as Record<string, unknown>;
      // A list marker on a byte string, which can't mean anything.
      if (name.endsWith('.APIServiceSpec'))
        delete (expected as { properties: Record<string, JsonObject> }).properties['caBundle']?.['x-kubernetes-list-type'];
      if (shared.has(name)) {
        delete expected?.['x-kubernetes-group-version-kind'];
        delete actual['x-kubernetes-group-version-kind'];
      }
      expect({ name, ...actual }).toEqual({ name, ...expected });
    }
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

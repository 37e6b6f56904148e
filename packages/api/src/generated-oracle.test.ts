import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { FieldSchema, TypeSchema } from '@skiff/apimachinery';
import { builtinSchemas } from './generated/index.ts';

/** The official OpenAPI document of Kubernetes 1.36; no part of this project. */
const oraclePath =
  process.env['SKIFF_OPENAPI_ORACLE'] ?? new URL('../../../../shared/oracle/openapi-v2-1.36.json', import.meta.url).pathname;

interface Property {
  $ref?: string;
  type?: string;
  format?: string;
  items?: Property;
  additionalProperties?: Property;
  enum?: string[];
  'x-kubernetes-list-type'?: string;
  'x-kubernetes-list-map-keys'?: string[];
  'x-kubernetes-map-type'?: string;
  'x-kubernetes-patch-merge-key'?: string;
  'x-kubernetes-patch-strategy'?: string;
}
interface Definition {
  properties?: Record<string, Property>;
  required?: string[];
  type?: string;
}

const apiextensions = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1';
const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1';
const scalarRefs: Partial<Record<string, string>> = {
  time: `${meta}.Time`,
  microTime: `${meta}.MicroTime`,
  fieldsV1: `${meta}.FieldsV1`,
  quantity: 'io.k8s.apimachinery.pkg.api.resource.Quantity',
  intOrString: 'io.k8s.apimachinery.pkg.util.intstr.IntOrString',
  raw: 'io.k8s.apimachinery.pkg.runtime.RawExtension',
  json: `${apiextensions}.JSON`,
};
const scalarTypes: Partial<Record<string, string>> = {
  string: 'string',
  boolean: 'boolean',
  int32: 'integer:int32',
  int64: 'integer:int64',
  float64: 'number:double',
  bytes: 'string:byte',
};

function shape(t: TypeSchema): string {
  switch (t.kind) {
    case 'scalar':
      return scalarTypes[t.scalar] ?? `#${scalarRefs[t.scalar]}`;
    case 'struct':
      return `#${t.name}`;
    case 'schemaOr':
      return `#${apiextensions}.JSONSchemaPropsOr${t.or}`;
    case 'list':
      return `[]${shape(t.items)}`;
    case 'map':
      return `{}${shape(t.values)}`;
  }
}
function officialShape(p: Property): string {
  if (p.$ref !== undefined) return `#${p.$ref.replace('#/definitions/', '')}`;
  if (p.type === 'array') return `[]${officialShape(p.items!)}`;
  if (p.additionalProperties !== undefined) return `{}${officialShape(p.additionalProperties)}`;
  return `${p.type}${p.format === undefined ? '' : `:${p.format}`}`;
}
const ours = (f: FieldSchema): object => ({
  shape: shape(f.type),
  listType: f.type.kind === 'list' ? f.type.listType : undefined,
  mapKeys: f.type.kind === 'list' ? f.type.mapKeys : undefined,
  mergeKey: f.patchMergeKey,
  strategy: f.patchStrategy?.join(','),
});
const official = (p: Property): object => ({
  shape: officialShape(p),
  listType: p.type === 'array' ? p['x-kubernetes-list-type'] : undefined,
  mapKeys: p['x-kubernetes-list-map-keys'],
  mergeKey: p['x-kubernetes-patch-merge-key'],
  strategy: p['x-kubernetes-patch-strategy'],
});

const digest = (fields: readonly (readonly [string, object])[], required: readonly string[]): string =>
  createHash('sha256')
    .update(JSON.stringify([fields.toSorted(([a], [b]) => (a < b ? -1 : 1)), required.toSorted()]))
    .digest('hex')
    .slice(0, 16);
const ourDigest = (name: string): string | undefined => {
  const struct = builtinSchemas.struct(name);
  if (struct === undefined) return undefined;
  return digest(
    struct.fields.flatMap(({ name: field }) => {
      const schema = builtinSchemas.field(struct, field);
      return schema === undefined ? [] : [[field, ours(schema)] as const];
    }),
    struct.fields.filter((f) => f.required).map((f) => f.name),
  );
};
const officialDigest = ({ properties, required }: Definition): string =>
  digest(
    Object.entries(properties ?? {}).map(([field, p]) => [field, official(p)] as const),
    required ?? [],
  );

/** A digest of each struct's fields as the official document has them. `SKIFF_RECORD_ORACLE=1`, where that document is, writes it. */
const recordPath = new URL('official-structure.json', import.meta.url).pathname;
const scalars = new Set([
  ...Object.values(scalarRefs),
  ...['Array', 'Bool', 'StringArray'].map((s) => `${apiextensions}.JSONSchemaPropsOr${s}`),
]);

describe('the generated schema against the record of the official OpenAPI document', () => {
  it('has every struct with the same fields, types, formats, list types, merge keys and requirements', () => {
    const recorded = JSON.parse(readFileSync(recordPath, 'utf8')) as Record<string, string>;
    expect(Object.keys(recorded).length).toBeGreaterThan(700);
    expect(Object.fromEntries(Object.keys(recorded).map((name) => [name, ourDigest(name)]))).toEqual(recorded);
  });
});

const present = existsSync(oraclePath);
if (!present) console.warn(`SKIPPED: the official OpenAPI document is not at ${oraclePath}; the generated schema was not compared with it`);

describe.skipIf(!present)('the generated schema against the official OpenAPI document', () => {
  const definitions = present
    ? (JSON.parse(readFileSync(oraclePath, 'utf8')) as { definitions: Record<string, Definition> }).definitions
    : {};

  it('is recorded as it is', () => {
    const structs = Object.entries(definitions).filter(([name]) => !scalars.has(name));
    const digests = Object.fromEntries(
      structs.map(([name, d]) => [name, officialDigest(d)]).toSorted(([a = ''], [b = '']) => (a < b ? -1 : 1)),
    );
    if (process.env['SKIFF_RECORD_ORACLE'] !== undefined) writeFileSync(recordPath, `${JSON.stringify(digests, undefined, 2)}\n`);
    expect(JSON.parse(readFileSync(recordPath, 'utf8'))).toEqual(digests);
  });

  it('has every struct', () => {
    const known = new Set(builtinSchemas.names());
    expect(Object.keys(definitions).filter((name) => !known.has(name) && !scalars.has(name))).toEqual([]);
  });

  it('has the same fields, types, formats, list types, map keys and merge keys', () => {
    const differences: unknown[] = [];
    for (const [name, definition] of Object.entries(definitions)) {
      const struct = builtinSchemas.struct(name);
      if (struct === undefined) continue;
      const properties = definition.properties ?? {};
      const names = new Set([...Object.keys(properties), ...struct.fields.map((f) => f.name)]);
      for (const field of names) {
        const mine = builtinSchemas.field(struct, field);
        const theirs = properties[field];
        const a = mine === undefined ? undefined : JSON.stringify(ours(mine));
        const b = theirs === undefined ? undefined : JSON.stringify(official(theirs));
        if (a !== b) differences.push({ field: `${name}.${field}`, ours: a, official: b });
      }
    }
    expect(differences).toEqual([]);
  });

  it('requires the same fields', () => {
    const differences: unknown[] = [];
    for (const [name, definition] of Object.entries(definitions)) {
      const struct = builtinSchemas.struct(name);
      if (struct === undefined) continue;
      const mine = struct.fields
        .filter((f) => f.required)
        .map((f) => f.name)
        .sort();
      const theirs = [...(definition.required ?? [])].sort();
      if (mine.join() !== theirs.join()) differences.push({ name, ours: mine, official: theirs });
    }
    expect(differences).toEqual([]);
  });
});

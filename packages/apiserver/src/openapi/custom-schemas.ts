import { describeApi } from '@skiff/api';
import type { JsonObject, ResourceDefinition, StructuralSchema } from '@skiff/apimachinery';
import type { ServedGroup } from '../discovery/documents.ts';
import { type OpenApiVersion, schemaReference } from './schemas.ts';

const metaPrefix = 'io.k8s.apimachinery.pkg.apis.meta.v1';
const objectMeta = `${metaPrefix}.ObjectMeta`;

/** A model that comes from a CustomResourceDefinition, and the built-in ones that it refers to. */
export interface CustomModel {
  readonly references: readonly string[];
  render(version: OpenApiVersion): JsonObject;
}

type Node = JsonObject;

/** Keeps a schema's words; v2 loses what kubectl's reader of it can't take (as upstream's document does). */
function convert(s: StructuralSchema, version: OpenApiVersion): Node {
  const { properties, items, additionalProperties, ...rest } = s;
  const own: Node = structuredClone(rest) as Node;
  const below = (b: StructuralSchema): Node => convert(b, version);
  if (version === 3) {
    if (properties !== undefined) own['properties'] = mapValues(properties, below);
    if (items !== undefined) own['items'] = below(items);
    if (additionalProperties !== undefined)
      own['additionalProperties'] = typeof additionalProperties === 'boolean' ? additionalProperties : below(additionalProperties);
    if (s['x-kubernetes-int-or-string'] === true) own['anyOf'] ??= [{ type: 'integer' }, { type: 'string' }];
    return withTypeMeta(own, s, version);
  }
  for (const word of ['allOf', 'anyOf', 'oneOf', 'not', 'nullable', 'default']) delete own[word];
  const open = s['x-kubernetes-preserve-unknown-fields'] === true;
  if (s.nullable === true || (open && (s.type === 'object' || s.type === 'array'))) delete own['type'];
  if (s.nullable !== true && !open) {
    if (properties !== undefined) {
      own['properties'] = mapValues(properties, below);
      const required = (s.required ?? []).filter((name) => properties[name]?.nullable !== true);
      if (required.length > 0) own['required'] = required;
      else delete own['required'];
    }
    if (items !== undefined) own['items'] = below(items);
  }
  if (additionalProperties !== undefined && typeof additionalProperties === 'object')
    own['additionalProperties'] = below(additionalProperties);
  return open ? own : withTypeMeta(own, s, version);
}

const mapValues = (from: Readonly<Record<string, StructuralSchema>>, of: (s: StructuralSchema) => Node): Node =>
  Object.fromEntries(Object.entries(from).map(([name, s]) => [name, of(s)]));

function withTypeMeta(own: Node, s: StructuralSchema, version: OpenApiVersion): Node {
  if (s['x-kubernetes-embedded-resource'] !== true) return own;
  const required = new Set([...((own['required'] as string[] | undefined) ?? []), 'kind', 'apiVersion']);
  return { ...own, properties: { ...(own['properties'] as Node | undefined), ...typeMeta(version) }, required: [...required] };
}

/** As it stands at the fields of built-in kinds. */
function described(field: string): Node {
  const description = describeApi('', field);
  return description === undefined ? {} : { description };
}

const typeMeta = (version: OpenApiVersion): Node => ({
  apiVersion: { type: 'string', ...described('apiVersion') },
  kind: { type: 'string', ...described('kind') },
  metadata: { ...described('metadata'), ...(version === 2 ? schemaReference(objectMeta, 2) : { allOf: [schemaReference(objectMeta, 3)] }) },
});

/** Which fields field selectors may name. */
function selectable(d: ResourceDefinition): Node {
  const fields = Object.keys(d.selectableFields ?? {});
  return fields.length === 0 ? {} : { 'x-kubernetes-selectable-fields': fields.map((fieldPath) => ({ fieldPath })) };
}

function objectModel(d: ResourceDefinition, schema: StructuralSchema): CustomModel {
  const gvk = { 'x-kubernetes-group-version-kind': [{ group: d.group, kind: d.kind, version: d.version }], ...selectable(d) };
  return {
    references: [objectMeta],
    render(version) {
      const open = schema['x-kubernetes-preserve-unknown-fields'] === true;
      // Readers of v2 would refuse whatever is not named, so nothing is.
      if (version === 2 && open) return { type: 'object', ...gvk };
      const own = convert(schema, version);
      const hasSchema = schema.properties !== undefined || open || Object.keys(schema).length > 1;
      if (!hasSchema) return { type: 'object', ...gvk };
      return { ...own, properties: { ...(own['properties'] as Node | undefined), ...typeMeta(version) }, ...gvk };
    },
  };
}

function listModel(d: ResourceDefinition): CustomModel {
  const listMeta = `${metaPrefix}.ListMeta`;
  return {
    references: [listMeta, d.schemaName],
    render: (version) => ({
      type: 'object',
      required: ['items'],
      properties: {
        apiVersion: { type: 'string', ...described('apiVersion') },
        items: { ...described('items'), type: 'array', items: schemaReference(d.schemaName, version) },
        kind: { type: 'string', ...described('kind') },
        metadata: {
          ...described('metadata'),
          ...(version === 2 ? schemaReference(listMeta, 2) : { allOf: [schemaReference(listMeta, 3)] }),
        },
      },
      'x-kubernetes-group-version-kind': [{ group: d.group, kind: d.listKind, version: d.version }],
      ...selectable(d),
    }),
  };
}

/** The models of all custom kinds and their lists, by name. */
export function customModels(groups: readonly ServedGroup[]): ReadonlyMap<string, CustomModel> {
  const models = new Map<string, CustomModel>();
  for (const d of groups.flatMap((g) => g.versions.flatMap((v) => v.definitions))) {
    if (d.custom === undefined) continue;
    models.set(d.schemaName, objectModel(d, d.custom.schema));
    models.set(`${d.schemaName.slice(0, -d.kind.length)}${d.listKind}`, listModel(d));
  }
  return models;
}

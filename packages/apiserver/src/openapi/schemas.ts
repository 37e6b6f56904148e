import { describeApi } from '@skiff/api';
import type { FieldSchema, JsonObject, ScalarName, SchemaRegistry, StructSchema, TypeSchema } from '@skiff/apimachinery';
import type { CustomModel } from './custom-schemas.ts';

/** The two dialects: v3 has defaults and enums, wraps references that stand beside other keys, and keeps its schemas elsewhere. */
export type OpenApiVersion = 2 | 3;

const metaPrefix = 'io.k8s.apimachinery.pkg.apis.meta.v1';
const apiextensionsPrefix = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1';

/** Scalars that have a schema of their own, by the name under which others refer to it. */
const namedScalars: Partial<Record<ScalarName, string>> = {
  time: `${metaPrefix}.Time`,
  microTime: `${metaPrefix}.MicroTime`,
  duration: `${metaPrefix}.Duration`,
  quantity: 'io.k8s.apimachinery.pkg.api.resource.Quantity',
  intOrString: 'io.k8s.apimachinery.pkg.util.intstr.IntOrString',
  raw: 'io.k8s.apimachinery.pkg.runtime.RawExtension',
  json: `${apiextensionsPrefix}.JSON`,
  fieldsV1: `${metaPrefix}.FieldsV1`,
};

const namedSchemas: Readonly<Record<string, (v: OpenApiVersion) => JsonObject>> = {
  [`${metaPrefix}.Time`]: () => ({ type: 'string', format: 'date-time' }),
  [`${metaPrefix}.MicroTime`]: () => ({ type: 'string', format: 'date-time' }),
  [`${metaPrefix}.Duration`]: () => ({ type: 'string' }),
  [`${metaPrefix}.FieldsV1`]: () => ({ type: 'object' }),
  [`${metaPrefix}.Patch`]: () => ({ type: 'object' }),
  'io.k8s.apimachinery.pkg.api.resource.Quantity': (v) =>
    v === 2 ? { type: 'string' } : { oneOf: [{ type: 'string' }, { type: 'number' }] },
  'io.k8s.apimachinery.pkg.util.intstr.IntOrString': (v) =>
    v === 2 ? { type: 'string', format: 'int-or-string' } : { format: 'int-or-string', oneOf: [{ type: 'integer' }, { type: 'string' }] },
  'io.k8s.apimachinery.pkg.runtime.RawExtension': () => ({ type: 'object' }),
  [`${apiextensionsPrefix}.JSON`]: () => ({}),
  [`${apiextensionsPrefix}.JSONSchemaPropsOrArray`]: () => ({}),
  [`${apiextensionsPrefix}.JSONSchemaPropsOrBool`]: () => ({}),
  [`${apiextensionsPrefix}.JSONSchemaPropsOrStringArray`]: () => ({}),
};

const plainScalars: Partial<Record<ScalarName, JsonObject>> = {
  string: { type: 'string' },
  boolean: { type: 'boolean' },
  int32: { type: 'integer', format: 'int32' },
  int64: { type: 'integer', format: 'int64' },
  float64: { type: 'number', format: 'double' },
  bytes: { type: 'string', format: 'byte' },
};

const zeroValues: Partial<Record<ScalarName, string | number | boolean>> = { string: '', boolean: false, int32: 0, int64: 0, float64: 0 };

export const schemaReference = (name: string, version: OpenApiVersion): JsonObject => ({
  $ref: version === 2 ? `#/definitions/${name}` : `#/components/schemas/${name}`,
});

function referenceName(type: TypeSchema): string | undefined {
  if (type.kind === 'struct') return type.name;
  if (type.kind === 'schemaOr') return `${apiextensionsPrefix}.JSONSchemaPropsOr${type.or}`;
  return type.kind === 'scalar' ? namedScalars[type.scalar] : undefined;
}

function typeSchema(type: TypeSchema, version: OpenApiVersion): JsonObject {
  const name = referenceName(type);
  if (name !== undefined) return schemaReference(name, version);
  switch (type.kind) {
    case 'list':
      return { type: 'array', items: typeSchema(type.items, version) };
    case 'map':
      return { type: 'object', additionalProperties: typeSchema(type.values, version) };
    case 'scalar':
      return {
        ...plainScalars[type.scalar],
        ...(type.enum === undefined ? {} : { enum: [...type.enum].sort() }),
      };
    default:
      return {};
  }
}

/** What v3 says about a field that is left out: its marker, or Go's zero value where Go always writes the field. */
function defaultOf(field: FieldSchema): unknown {
  if (field.default !== undefined) return field.default;
  if (field.pointer) return undefined;
  if (field.type.kind === 'struct') return {};
  return field.type.kind === 'scalar' && field.omit === 'never' ? zeroValues[field.type.scalar] : undefined;
}

function propertySchema(struct: StructSchema, field: FieldSchema, version: OpenApiVersion): JsonObject {
  const { type } = field;
  const value = typeSchema(type, version);
  const description = describeApi(struct.goName, field.name);
  const described: JsonObject = description === undefined ? {} : { description };
  const extensions: JsonObject = {};
  if (type.kind === 'list') {
    if (type.mapKeys !== undefined) extensions['x-kubernetes-list-map-keys'] = [...type.mapKeys];
    if (type.listType !== undefined) extensions['x-kubernetes-list-type'] = type.listType;
  }
  if (type.kind === 'map' && type.mapType !== undefined) extensions['x-kubernetes-map-type'] = type.mapType;
  if (field.structType !== undefined) extensions['x-kubernetes-map-type'] = field.structType;
  if (field.patchMergeKey !== undefined) extensions['x-kubernetes-patch-merge-key'] = field.patchMergeKey;
  if (field.patchStrategy !== undefined) extensions['x-kubernetes-patch-strategy'] = field.patchStrategy.join(',');
  if (version === 2) return { ...described, ...value, ...extensions };
  const preset = defaultOf(field);
  const beside: JsonObject = { ...(preset === undefined ? {} : { default: preset as never }), ...extensions };
  if ('$ref' in value) return { ...described, ...beside, allOf: [value] };
  return { ...described, ...value, ...beside };
}

export interface ModelOptions {
  readonly version: OpenApiVersion;
  /** Group versions whose requests use the shared kinds of meta/v1 (DeleteOptions, WatchEvent). */
  readonly groupVersions: readonly { readonly group: string; readonly version: string }[];
  /** Models that are in no registry. */
  readonly custom: ReadonlyMap<string, CustomModel>;
}

/** Structs of which only one member may be set, and which field says which. */
const unions: Readonly<Record<string, JsonObject>> = {
  'io.k8s.api.core.v1.AppArmorProfile': { discriminator: 'type', 'fields-to-discriminateBy': { localhostProfile: 'LocalhostProfile' } },
  'io.k8s.api.core.v1.SeccompProfile': { discriminator: 'type', 'fields-to-discriminateBy': { localhostProfile: 'LocalhostProfile' } },
  'io.k8s.api.core.v1.PodSchedulingGroup': { 'fields-to-discriminateBy': { podGroupName: 'PodGroupName' } },
  'io.k8s.api.flowcontrol.v1.LimitResponse': { discriminator: 'type', 'fields-to-discriminateBy': { queuing: 'Queuing' } },
  'io.k8s.api.flowcontrol.v1.PriorityLevelConfigurationSpec': {
    discriminator: 'type',
    'fields-to-discriminateBy': { exempt: 'Exempt', limited: 'Limited' },
  },
  'io.k8s.api.flowcontrol.v1.Subject': {
    discriminator: 'kind',
    'fields-to-discriminateBy': { group: 'Group', serviceAccount: 'ServiceAccount', user: 'User' },
  },
};

const sharedKinds: ReadonlySet<string> = new Set([`${metaPrefix}.DeleteOptions`, `${metaPrefix}.WatchEvent`]);

function structSchema(struct: StructSchema, o: ModelOptions): JsonObject {
  const properties: JsonObject = {};
  for (const field of struct.fields.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))) {
    properties[field.name] = propertySchema(struct, field, o.version);
  }
  const required = struct.fields.filter((f) => f.required).map((f) => f.name);
  const gvks = sharedKinds.has(struct.name)
    ? o.groupVersions.map((gv) => ({ group: gv.group, kind: struct.goName, version: gv.version }))
    : struct.groupVersionKind === undefined
      ? []
      : [{ group: struct.groupVersionKind.group, kind: struct.groupVersionKind.kind, version: struct.groupVersionKind.version }];
  const description = describeApi(struct.goName);
  return {
    ...(description === undefined ? {} : { description }),
    type: 'object',
    ...(required.length === 0 ? {} : { required }),
    ...(struct.fields.length === 0 ? {} : { properties }),
    ...(gvks.length === 0 ? {} : { 'x-kubernetes-group-version-kind': gvks }),
    ...(struct.structType === undefined ? {} : { 'x-kubernetes-map-type': struct.structType }),
    ...(unions[struct.name] === undefined ? {} : { 'x-kubernetes-unions': [unions[struct.name] as JsonObject] }),
  };
}

const referencesOf = (type: TypeSchema, use: (name: string) => void): void => {
  const name = referenceName(type);
  if (name !== undefined) use(name);
  else if (type.kind === 'list') referencesOf(type.items, use);
  else if (type.kind === 'map') referencesOf(type.values, use);
};

/** `roots` and everything they refer to, sorted. Throws on a name that the registry doesn't have. */
function schemaClosure(registry: SchemaRegistry, roots: Iterable<string>, custom: ModelOptions['custom']): readonly string[] {
  const found = new Set<string>();
  const queue = [...roots];
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (found.has(name)) continue;
    found.add(name);
    if (name in namedSchemas) continue;
    const model = custom.get(name);
    if (model !== undefined) {
      queue.push(...model.references);
      continue;
    }
    const struct = registry.struct(name);
    if (struct === undefined) throw new Error(`OpenAPI: no schema ${name}`);
    for (const field of struct.fields) referencesOf(field.type, (used) => queue.push(used));
  }
  return [...found].sort();
}

/** The schemas of `roots` and of everything they refer to, by name, one at a time. */
export function* renderSchemas(
  registry: SchemaRegistry,
  roots: Iterable<string>,
  o: ModelOptions,
): Generator<readonly [string, JsonObject]> {
  for (const name of schemaClosure(registry, roots, o.custom)) {
    const struct = registry.struct(name);
    const special = namedSchemas[name];
    const model = o.custom.get(name);
    if (model !== undefined) yield [name, model.render(o.version)];
    else if (special !== undefined) yield [name, special(o.version)];
    else if (struct !== undefined) yield [name, structSchema(struct, o)];
  }
}

import { createHash } from 'node:crypto';
import { allVerbs, builtinSchemas, type CustomResourceDefinition, type CustomResourceDefinitionVersion } from '@skiff/api';
import {
  type ConversionWebhook,
  createStructuralCodec,
  type DeepReadonly,
  type FieldErrors,
  goValueText,
  type JsonObject,
  jsonEqual,
  type Json,
  type KubeObject,
  nameIsDNSSubdomain,
  type ResourceDefinition,
  type ResourceStrategy,
  type ScalePaths,
  type StructuralCodec,
  type StructuralSchema,
  type SubresourceDefinition,
} from '@skiff/apimachinery';
import { createSchemaRules, type SchemaRules } from '@skiff/cel';
import { parseJsonPath } from './json-path.ts';
import { customTable } from './printer-columns.ts';
import { rulesOf } from './schema-rules.ts';

type CRD = DeepReadonly<CustomResourceDefinition>;
type Version = DeepReadonly<CustomResourceDefinitionVersion>;

/** Condition `type` of a definition is True. */
export const hasCondition = (crd: CRD, type: string): boolean =>
  crd.status?.conditions?.some((c) => c.type === type && c.status === 'True') ?? false;

/** `stable.example.com`, `v1`, `CronTab` → `com.example.stable.v1.CronTab`: what OpenAPI calls the model. */
const modelName = (group: string, version: string, kind: string): string => `${group.split('.').reverse().join('.')}.${version}.${kind}`;

const isObject = (value: unknown): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);

/** What counts for generation: everything but metadata. */
function sameContent(a: DeepReadonly<KubeObject>, b: DeepReadonly<KubeObject>): boolean {
  const { metadata: _a, ...x } = a as unknown as JsonObject;
  const { metadata: _b, ...y } = b as unknown as JsonObject;
  return jsonEqual(x, y);
}

const statusOf = (object: DeepReadonly<KubeObject>): Json | undefined => (object as unknown as JsonObject)['status'];
function setStatus(draft: KubeObject, status: Json | undefined): void {
  if (status === undefined) delete (draft as unknown as JsonObject)['status'];
  else (draft as unknown as JsonObject)['status'] = structuredClone(status);
}

function valueAt(object: DeepReadonly<KubeObject>, path: string): unknown {
  const [value] = parseJsonPath(path).find(object);
  return value;
}

const goTypes: Readonly<Record<string, string>> = { string: 'string', boolean: 'bool', number: 'float64', bigint: 'int64' };
const goTypeOf = (value: Json): string =>
  Array.isArray(value) ? '[]interface {}' : value === null ? '<nil>' : (goTypes[typeof value] ?? 'map[string]interface {}');

/** The number that a Scale shows, or why there is none; undefined: it is not set. */
function replicasAt(object: DeepReadonly<KubeObject>, path: string): number | { readonly problem: string } | undefined {
  let value = object as unknown as Json | undefined;
  const wrong = (found: Json, expected: string): { problem: string } => ({
    problem: `${path} accessor error: ${goValueText(found)} is of the type ${goTypeOf(found)}, expected ${expected}`,
  });
  for (const name of path.replace(/^\./, '').split('.')) {
    if (value === undefined) return undefined;
    if (!isObject(value)) return wrong(value, 'map[string]interface{}');
    value = value[name];
  }
  if (value === undefined) return undefined;
  return typeof value === 'number' && Number.isInteger(value) ? value : wrong(value, 'int64');
}

function validateScale(object: DeepReadonly<KubeObject>, scale: ScalePaths | undefined, errors: FieldErrors): void {
  if (scale === undefined) return;
  const { specReplicas: path } = scale;
  const replicas = replicasAt(object, path);
  if (typeof replicas === 'object') errors.invalid(path, 0, replicas.problem);
  else if (replicas !== undefined && replicas < 0) errors.invalid(path, replicas, 'should be a non-negative integer');
}

const standardFinalizers: ReadonlySet<string> = new Set(['orphan', 'foregroundDeletion', 'kubernetes']);

/** New finalizers of one word, or without a path, may be somebody else's too. */
function finalizerWarnings(object: DeepReadonly<KubeObject>, old?: DeepReadonly<KubeObject>): readonly string[] {
  const before = new Set(old?.metadata?.finalizers ?? []);
  const added = (object.metadata?.finalizers ?? []).filter((f) => !before.has(f) && !f.includes('/') && !standardFinalizers.has(f));
  return added.sort().map((f) => {
    const path = f.includes('.') ? ' including a path (/)' : '';
    return `metadata.finalizers: ${JSON.stringify(f)}: prefer a domain-qualified finalizer name${path} to avoid accidental conflicts with other finalizer writers`;
  });
}

interface StrategyParts {
  readonly codec: StructuralCodec;
  readonly rules: SchemaRules | undefined;
  readonly status: boolean;
  readonly scale: ScalePaths | undefined;
}

function mainStrategy({ codec, rules, ...o }: StrategyParts): ResourceStrategy<KubeObject> {
  return {
    ...rulesOf(rules),
    validateName: nameIsDNSSubdomain,
    allowUnconditionalUpdate: false,
    warnings: finalizerWarnings,
    prepareForCreate(draft) {
      if (o.status) setStatus(draft, undefined);
      (draft.metadata ??= {}).generation = 1;
    },
    prepareForUpdate(draft, old) {
      if (o.status) setStatus(draft, statusOf(old));
      if (!sameContent(draft, old)) (draft.metadata ??= {}).generation = (old.metadata?.generation ?? 0) + 1;
    },
    validate(object, errors) {
      codec.validate(object as never, errors);
      validateScale(object, o.scale, errors);
    },
    validateUpdate(object, old, errors) {
      codec.validate(object as never, errors, old as never);
      validateScale(object, o.scale, errors);
    },
  };
}

/** A write to status changes nothing else. */
function statusStrategy(codec: StructuralCodec, rules: SchemaRules | undefined): ResourceStrategy<KubeObject> {
  return {
    ...rulesOf(rules),
    allowUnconditionalUpdate: false,
    prepareForUpdate(draft, old) {
      const status = structuredClone(statusOf(draft));
      const { managedFields, resourceVersion } = draft.metadata ?? {};
      const target = draft as unknown as JsonObject;
      for (const key of Object.keys(target)) if (key !== 'metadata') delete target[key];
      const { metadata, ...rest } = structuredClone(old) as unknown as JsonObject;
      Object.assign(target, rest);
      const meta = (draft.metadata ??= {});
      for (const key of Object.keys(meta)) delete (meta as JsonObject)[key];
      Object.assign(meta, isObject(metadata) ? metadata : {});
      if (managedFields === undefined) delete meta.managedFields;
      else meta.managedFields = managedFields;
      if (resourceVersion !== undefined) meta.resourceVersion = resourceVersion;
      setStatus(draft, status);
    },
    validateUpdate: (object, old, errors) => codec.validateStatus(object as never, errors, old as never),
  };
}

function subresourcesOf(
  crd: CRD,
  version: Version,
  { codec, rules }: Pick<StrategyParts, 'codec' | 'rules'>,
): Readonly<Record<string, SubresourceDefinition<KubeObject>>> | undefined {
  const { status, scale } = version.subresources ?? {};
  if (status === undefined && scale === undefined) return undefined;
  const kind = crd.status?.acceptedNames?.kind ?? crd.spec.names.kind;
  return {
    ...(status === undefined
      ? {}
      : { status: { kind, verbs: ['get', 'patch', 'update'], strategy: statusStrategy(codec, rules), resetFields: ['metadata', 'spec'] } }),
    ...(scale === undefined ? {} : { scale: { kind: 'Scale', group: 'autoscaling', version: 'v1', verbs: ['get', 'patch', 'update'] } }),
  };
}

/** What tells clients in discovery that objects are stored in another version than before; the same for every version served. */
function storageVersionHash(group: string, version: string, kind: string): string {
  return createHash('sha256').update(`${group}/${version}/${kind}`).digest().subarray(0, 8).toString('base64');
}

function scalePaths(version: Version): ScalePaths | undefined {
  const scale = version.subresources?.scale;
  if (scale === undefined) return undefined;
  const { specReplicasPath, statusReplicasPath, labelSelectorPath } = scale;
  return {
    specReplicas: specReplicasPath,
    statusReplicas: statusReplicasPath,
    ...(labelSelectorPath === undefined ? {} : { labelSelector: labelSelectorPath }),
  };
}

/**
 * The definition of a custom kind in one version. Everything that follows from the schema is made here, once for each change of the
 * CustomResourceDefinition. Throws JsonPathError on a column's path that can't be read (which validation refuses beforehand).
 */
function customDefinition(
  crd: CRD,
  version: Version,
  versionOf: (name: string) => ResourceDefinition | undefined,
  storedAs?: ResourceDefinition,
): ResourceDefinition {
  const { group, scope } = crd.spec;
  const names = crd.status?.acceptedNames ?? crd.spec.names;
  const schema = (version.schema?.openAPIV3Schema ?? { type: 'object' }) as StructuralSchema;
  const codec = createStructuralCodec(builtinSchemas, schema, { preserveUnknownFields: crd.spec.preserveUnknownFields === true });
  const scale = scalePaths(version);
  const status = version.subresources?.status !== undefined;
  const rules = createSchemaRules(schema);
  const subresources = subresourcesOf(crd, version, { codec, rules });
  const fields = version.selectableFields ?? [];
  const webhook = conversionWebhook(crd);
  return {
    group,
    version: version.name,
    kind: names.kind,
    plural: names.plural,
    scope: scope as ResourceDefinition['scope'],
    singular: names.singular ?? names.kind.toLowerCase(),
    listKind: names.listKind ?? `${names.kind}List`,
    ...(names.shortNames === undefined ? {} : { shortNames: names.shortNames }),
    ...(names.categories === undefined ? {} : { categories: names.categories }),
    // Nothing new is made while the definition goes.
    verbs: crd.metadata?.deletionTimestamp === undefined ? allVerbs : allVerbs.filter((verb) => verb !== 'create'),
    schemaName: modelName(group, version.name, names.kind),
    custom: {
      codec,
      schema,
      ...(scale === undefined ? {} : { scale }),
      ...(storedAs === undefined ? {} : { storage: storedAs }),
      ...(webhook === undefined ? {} : { webhook }),
      versionOf,
      served: version.served,
      ...(version.deprecated === true
        ? { deprecation: version.deprecationWarning ?? `${group}/${version.name} ${names.kind} is deprecated` }
        : {}),
    },
    storagePrefix: `${group}/${names.plural}`,
    storageVersionHash: storageVersionHash(group, crd.spec.versions.find((v) => v.storage)?.name ?? version.name, names.kind),
    strategy: mainStrategy({ codec, rules, status, scale }),
    ...(subresources === undefined ? {} : { subresources }),
    ...(fields.length === 0
      ? {}
      : {
          selectableFields: Object.fromEntries(
            fields.map(({ jsonPath }) => [
              jsonPath.replace(/^\./, ''),
              (object: DeepReadonly<KubeObject>): string => {
                const value = valueAt(object, jsonPath);
                return value === undefined || value === null ? '' : String(value as string | number | boolean);
              },
            ]),
          ),
        }),
    table: customTable(version.additionalPrinterColumns),
    ...(status ? { resetFields: ['status'] } : {}),
  };
}

function conversionWebhook(crd: CRD): ConversionWebhook | undefined {
  const { strategy, webhook } = crd.spec.conversion ?? { strategy: 'None' };
  if (strategy !== 'Webhook' || webhook === undefined) return undefined;
  const { url, service, caBundle } = webhook.clientConfig ?? {};
  return {
    ...(url === undefined ? {} : { url }),
    ...(service === undefined ? {} : { service }),
    ...(caBundle ? { caBundle } : {}),
    reviewVersions: webhook.conversionReviewVersions,
  };
}

/**
 * The definitions of all versions of a custom kind that are served, and of the one that its objects are stored in; none before its names
 * are accepted.
 */
export function customDefinitions(crd: CRD): readonly ResourceDefinition[] {
  if (!hasCondition(crd, 'Established')) return [];
  const made = new Map<string, ResourceDefinition>();
  const versionOf = (name: string): ResourceDefinition | undefined => {
    const known = made.get(name);
    const version = crd.spec.versions.find((v) => v.name === name);
    if (known !== undefined || version === undefined) return known;
    const stored = version.storage ? undefined : crd.spec.versions.find((v) => v.storage);
    const definition = customDefinition(crd, version, versionOf, stored === undefined ? undefined : versionOf(stored.name));
    made.set(name, definition);
    return definition;
  };
  return crd.spec.versions.flatMap((v) => (v.served || v.storage ? (versionOf(v.name) ?? []) : []));
}

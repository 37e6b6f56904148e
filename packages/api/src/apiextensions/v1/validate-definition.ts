import {
  type DeepReadonly,
  type FieldErrors,
  isDNS1035Label,
  isDNS1123Subdomain,
  jsonEqual,
  type Json,
  type JsonObject,
  type StrategyContext,
  type StructuralSchema,
} from '@skiff/apimachinery';
import type {
  CustomResourceColumnDefinition,
  CustomResourceDefinition,
  CustomResourceDefinitionNames,
  CustomResourceDefinitionVersion,
  CustomResourceSubresources,
} from '../../generated/types/apiextensions-v1.ts';
import { conversionChecksOf, type ConversionChecks, validateConversion } from './validate-conversion.ts';
import { validateStructuralSchema } from './validate-structural.ts';

type CRD = DeepReadonly<CustomResourceDefinition>;

const versionsMayNot = (spec: CRD['spec']): unknown => structuredClone(spec.versions);

function validateNames(names: DeepReadonly<CustomResourceDefinitionNames>, field: string, errors: FieldErrors): void {
  const label = (at: string, value: string | undefined, mixedCase: boolean): void => {
    if (!value) return errors.required(`${field}.${at}`);
    const bad = isDNS1035Label(mixedCase ? value.toLowerCase() : value).join(',');
    if (bad !== '') errors.invalid(`${field}.${at}`, value, mixedCase ? `may have mixed case, but should otherwise match: ${bad}` : bad);
  };
  label('plural', names.plural, false);
  label('singular', names.singular, false);
  label('kind', names.kind, true);
  label('listKind', names.listKind, true);
  for (const list of ['shortNames', 'categories'] as const) {
    for (const [i, name] of (names[list] ?? []).entries()) {
      const bad = isDNS1035Label(name);
      if (bad.length > 0) errors.invalid(`${field}.${list}[${i}]`, name, bad.join(','));
    }
  }
  if (names.kind && names.kind === names.listKind)
    errors.invalid(`${field}.listKind`, names.listKind, 'kind and listKind may not be the same');
}

function validateSimplePath(path: string, field: string, errors: FieldErrors): boolean {
  if (path.startsWith('.')) return true;
  errors.invalid(field, path, 'must be a simple json path starting with .');
  return false;
}

const columnTypes = ['boolean', 'date', 'integer', 'number', 'string'];
const columnFormats = ['byte', 'date', 'date-time', 'double', 'float', 'int32', 'int64', 'password'];

function validateColumn(column: DeepReadonly<CustomResourceColumnDefinition>, field: string, errors: FieldErrors): void {
  if (!column.name) errors.required(`${field}.name`);
  const types = `must be one of ${columnTypes.join(',')}`;
  if (!column.type) errors.required(`${field}.type`, types);
  else if (!columnTypes.includes(column.type)) errors.invalid(`${field}.type`, column.type, types);
  if (column.format && !columnFormats.includes(column.format))
    errors.invalid(`${field}.format`, column.format, `must be one of ${columnFormats.join(',')}`);
  if (!column.jsonPath) errors.required(`${field}.JSONPath`);
  else validateSimplePath(column.jsonPath, `${field}.JSONPath`, errors);
}

function validateSubresources(
  subresources: DeepReadonly<CustomResourceSubresources> | undefined,
  field: string,
  errors: FieldErrors,
): void {
  const scale = subresources?.scale;
  if (scale === undefined) return;
  const below = (name: string, path: string, prefixes: readonly string[], why: string): void => {
    const at = `${field}.scale.${name}`;
    if (path === '') errors.required(at);
    else if (validateSimplePath(path, at, errors) && !prefixes.some((p) => path.startsWith(p))) errors.invalid(at, path, why);
  };
  below('specReplicasPath', scale.specReplicasPath ?? '', ['.spec.'], 'should be a json path under .spec');
  below('statusReplicasPath', scale.statusReplicasPath ?? '', ['.status.'], 'should be a json path under .status');
  if (scale.labelSelectorPath) {
    below('labelSelectorPath', scale.labelSelectorPath, ['.spec.', '.status.'], 'should be a json path under either .spec or .status');
  }
}

/** What may be the same for all versions; upstream's errors then say `spec.validation`, `spec.subresources` and so on. */
interface Shared {
  readonly schema: boolean;
  readonly subresources: boolean;
  readonly columns: boolean;
}
function sharedParts(versions: readonly DeepReadonly<CustomResourceDefinitionVersion>[]): Shared {
  const same = (key: keyof CustomResourceDefinitionVersion): boolean =>
    versions.every((v) => jsonEqual((v[key] ?? null) as Json, (versions[0]?.[key] ?? null) as Json));
  return {
    schema: same('schema'),
    subresources: same('subresources'),
    columns: same('additionalPrinterColumns'),
  };
}

interface Place {
  readonly spec: CRD['spec'];
  readonly field: string;
  readonly context: StrategyContext;
}

function validateSchema(
  version: DeepReadonly<CustomResourceDefinitionVersion>,
  { spec, field, context }: Place,
  errors: FieldErrors,
): void {
  const schema = version.schema?.openAPIV3Schema as DeepReadonly<JsonObject> | undefined;
  if (schema === undefined || spec.preserveUnknownFields === true) return;
  const at = `${field}.openAPIV3Schema`;
  const before = errors.list.length;
  validateStructuralSchema(schema, at, errors);
  context.schemaRules?.(schema as StructuralSchema, at, errors.list.length === before, errors);
}
function validateColumns(version: DeepReadonly<CustomResourceDefinitionVersion>, field: string, errors: FieldErrors): void {
  for (const [i, column] of (version.additionalPrinterColumns ?? []).entries()) validateColumn(column, `${field}[${i}]`, errors);
}

function validateVersion(
  version: DeepReadonly<CustomResourceDefinitionVersion>,
  { spec, field, context }: Place,
  shared: Shared,
  errors: FieldErrors,
): void {
  const bad = isDNS1035Label(version.name);
  if (bad.length > 0) errors.invalid(`${field}.name`, version.name, bad.join(','));
  if (version.deprecationWarning !== undefined && version.deprecated !== true) {
    errors.invalid(`${field}.deprecationWarning`, version.deprecationWarning, 'can only be set for deprecated versions');
  }
  if (version.schema?.openAPIV3Schema === undefined) errors.required(`${field}.schema.openAPIV3Schema`);
  else if (!shared.schema) validateSchema(version, { spec, field: `${field}.schema`, context }, errors);
  if (!shared.subresources) validateSubresources(version.subresources, `${field}.subresources`, errors);
  if (!shared.columns) validateColumns(version, `${field}.additionalPrinterColumns`, errors);
  for (const [i, { jsonPath }] of (version.selectableFields ?? []).entries()) {
    const path = `${field}.selectableFields[${i}].jsonPath`;
    if (!jsonPath) errors.required(path);
    else if (!/^(?:\.[A-Za-z_][\w-]*)+$/.test(jsonPath)) errors.invalid(path, jsonPath, 'must be a simple json path of names');
    else if (jsonPath.startsWith('.metadata.')) errors.invalid(path, jsonPath, 'must not point to fields in metadata');
  }
}

/** What all versions have in common, once. */
function validateShared(spec: CRD['spec'], shared: Shared, context: StrategyContext, errors: FieldErrors): void {
  const [version] = spec.versions;
  if (version === undefined) return;
  if (shared.schema) validateSchema(version, { spec, field: 'spec.validation', context }, errors);
  if (shared.subresources) validateSubresources(version.subresources, 'spec.subresources', errors);
  if (shared.columns) validateColumns(version, 'spec.additionalPrinterColumns', errors);
}

function validateSpec(spec: CRD['spec'], checks: ConversionChecks, errors: FieldErrors, context: StrategyContext): void {
  const { group } = spec;
  if (!group) errors.required('spec.group');
  else {
    const bad = isDNS1123Subdomain(group);
    if (bad.length > 0) errors.invalid('spec.group', group, bad.join(','));
    else if (!group.includes('.')) errors.invalid('spec.group', group, 'should be a domain with at least one dot');
  }
  if (!spec.scope) errors.required('spec.scope');
  else if (spec.scope !== 'Cluster' && spec.scope !== 'Namespaced')
    errors.notSupported('spec.scope', spec.scope, ['Cluster', 'Namespaced']);
  const shared = sharedParts(spec.versions);
  for (const [i, version] of spec.versions.entries())
    validateVersion(version, { spec, field: `spec.versions[${i}]`, context }, shared, errors);
  if (new Set(spec.versions.map((v) => v.name)).size !== spec.versions.length) {
    errors.invalid('spec.versions', versionsMayNot(spec), 'must contain unique version names');
  }
  if (spec.versions.filter((v) => v.storage).length !== 1) {
    errors.invalid('spec.versions', versionsMayNot(spec), 'must have exactly one version marked as storage version');
  }
  validateNames(spec.names, 'spec.names', errors);
  validateShared(spec, shared, context, errors);
  validateConversion(spec.conversion, checks, errors);
}

export function validateDefinition(crd: CRD, errors: FieldErrors, context: StrategyContext): void {
  const name = crd.metadata?.name ?? '';
  if (name !== `${crd.spec.names.plural}.${crd.spec.group}`)
    errors.invalid('metadata.name', name, 'must be spec.names.plural+"."+spec.group');
  validateSpec(crd.spec, { knownReviewVersion: true, caBundle: false }, errors, context);
  if (crd.spec.preserveUnknownFields === true) {
    errors.invalid(
      'spec.preserveUnknownFields',
      true,
      'cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead',
    );
  }
}

export function validateDefinitionUpdate(crd: CRD, old: CRD, errors: FieldErrors, context: StrategyContext): void {
  const established = old.status?.conditions?.some((c) => c.type === 'Established' && c.status === 'True') ?? false;
  validateSpec(crd.spec, conversionChecksOf(old, established), errors, context);
  const fixed = (field: string, value: unknown, before: unknown): void => {
    if (!jsonEqual((value ?? null) as Json, (before ?? null) as Json)) errors.invalid(field, value, 'field is immutable');
  };
  if (established) {
    fixed('spec.scope', crd.spec.scope, old.spec.scope);
    fixed('spec.names.kind', crd.spec.names.kind, old.spec.names.kind);
  }
  fixed('spec.group', crd.spec.group, old.spec.group);
  fixed('spec.names.plural', crd.spec.names.plural, old.spec.names.plural);
  const names = new Set(crd.spec.versions.map((v) => v.name));
  for (const [i, stored] of (crd.status?.storedVersions ?? []).entries()) {
    if (!names.has(stored)) {
      errors.invalid(
        `status.storedVersions[${i}]`,
        stored,
        'missing from spec.versions; ' +
          `${stored} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${stored} and removes ${stored} from status.storedVersions`,
      );
    }
  }
}

import {
  type DeepReadonly,
  type FieldError,
  FieldErrors,
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
import { validateSelectableFields } from './validate-selectable-fields.ts';
import { validateStructuralSchema } from './validate-structural.ts';

type CRD = DeepReadonly<CustomResourceDefinition>;

/** Versions as upstream's errors show them: by the names of its older form, in which what they share stands elsewhere. */
const versionsMayNot = (spec: CRD['spec'], shared: Shared): unknown =>
  spec.versions.map((v) => ({
    Name: v.name,
    Served: v.served,
    Storage: v.storage,
    Deprecated: v.deprecated ?? false,
    DeprecationWarning: v.deprecationWarning ?? null,
    Schema: shared.schema ? null : (v.schema ?? null),
    Subresources: shared.subresources ? null : (v.subresources ?? null),
    AdditionalPrinterColumns: shared.columns ? null : (v.additionalPrinterColumns ?? null),
    SelectableFields: shared.fields ? null : (v.selectableFields ?? null),
  }));

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
  readonly fields: boolean;
}
function sharedParts(versions: readonly DeepReadonly<CustomResourceDefinitionVersion>[]): Shared {
  const same = (key: keyof CustomResourceDefinitionVersion): boolean =>
    versions.every((v) => jsonEqual((v[key] ?? null) as Json, (versions[0]?.[key] ?? null) as Json));
  return {
    schema: same('schema'),
    subresources: same('subresources'),
    columns: same('additionalPrinterColumns'),
    fields: same('selectableFields'),
  };
}

const schemaOf = (version: DeepReadonly<CustomResourceDefinitionVersion>): DeepReadonly<JsonObject> | undefined =>
  version.schema?.openAPIV3Schema as DeepReadonly<JsonObject> | undefined;

function validateSchema(
  version: DeepReadonly<CustomResourceDefinitionVersion>,
  spec: CRD['spec'],
  field: string,
  errors: FieldErrors,
): void {
  const schema = schemaOf(version);
  if (schema !== undefined && spec.preserveUnknownFields !== true) validateStructuralSchema(schema, `${field}.openAPIV3Schema`, errors);
}

function* schemaRules(crd: CRD, errors: FieldErrors, check: NonNullable<StrategyContext['schemaRules']>): Generator<void, void> {
  const { spec } = crd;
  if (spec.preserveUnknownFields === true) return;
  const shared = sharedParts(spec.versions).schema;
  for (const [i, version] of (shared ? spec.versions.slice(0, 1) : spec.versions).entries()) {
    const schema = schemaOf(version);
    if (schema === undefined) continue;
    const field = `${shared ? 'spec.validation' : `spec.versions[${i}].schema`}.openAPIV3Schema`;
    const structure = new FieldErrors();
    validateStructuralSchema(schema, field, structure);
    yield* check(schema as StructuralSchema, field, structure.empty, errors);
  }
}

/** The rules of the schemas, in steps: they take time. What was wrong with them before may stay so. */
export function* validateSchemaRules(crd: CRD, old: CRD | undefined, errors: FieldErrors, context: StrategyContext): Generator<void, void> {
  const check = context.schemaRules;
  if (check === undefined) return;
  const found = new FieldErrors();
  yield* schemaRules(crd, found, check);
  if (found.empty) return;
  const before = new FieldErrors();
  if (old !== undefined) yield* schemaRules(old, before, check);
  // A type of `self` has another name each time.
  const text = (e: FieldError): string => `${e.field} ${e.body}`.replaceAll(/selfType\d+/g, 'selfType');
  const known = new Set(before.list.map(text));
  errors.list.push(...found.list.filter((e) => !known.has(text(e))));
}

function validateColumns(version: DeepReadonly<CustomResourceDefinitionVersion>, field: string, errors: FieldErrors): void {
  for (const [i, column] of (version.additionalPrinterColumns ?? []).entries()) validateColumn(column, `${field}[${i}]`, errors);
}

function validateVersion(
  version: DeepReadonly<CustomResourceDefinitionVersion>,
  { spec, field }: { readonly spec: CRD['spec']; readonly field: string },
  shared: Shared,
  errors: FieldErrors,
): void {
  const bad = isDNS1035Label(version.name);
  if (bad.length > 0) errors.invalid(`${field}.name`, version.name, bad.join(','));
  validateDeprecation(version, field, errors);
  if (version.schema?.openAPIV3Schema === undefined) errors.required(`${field}.schema.openAPIV3Schema`);
  else if (!shared.schema) validateSchema(version, spec, `${field}.schema`, errors);
  if (!shared.subresources) validateSubresources(version.subresources, `${field}.subresources`, errors);
  if (!shared.columns) validateColumns(version, `${field}.additionalPrinterColumns`, errors);
  if (!shared.fields) validateFields(version, `${field}.selectableFields`, errors);
}

function validateFields(version: DeepReadonly<CustomResourceDefinitionVersion>, field: string, errors: FieldErrors): void {
  const schema = version.schema?.openAPIV3Schema as StructuralSchema | undefined;
  const fields = version.selectableFields ?? [];
  if (schema !== undefined && fields.length > 0) validateSelectableFields(fields, schema, field, errors);
}

/** Told with every answer about the version: short, and nothing but text. */
function validateDeprecation(version: DeepReadonly<CustomResourceDefinitionVersion>, field: string, errors: FieldErrors): void {
  const { deprecated, deprecationWarning: text } = version;
  if (text === undefined) return;
  const at = `${field}.deprecationWarning`;
  if (deprecated !== true) return errors.invalid(at, text, 'can only be set for deprecated versions');
  if (Buffer.byteLength(text) > 256) errors.invalid(at, text, 'must be <= 256 characters long');
  if (text === '') errors.invalid(at, text, 'must not be an empty string');
  const bad = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/u.exec(text);
  if (bad === null) return;
  const index = Buffer.byteLength(text.slice(0, bad.index));
  errors.invalid(at, text, `must only contain printable UTF-8 characters; non-printable character found at index ${index}`);
}

/** What all versions have in common, once. */
function validateShared(spec: CRD['spec'], shared: Shared, errors: FieldErrors): void {
  const [version] = spec.versions;
  if (version === undefined) return;
  if (shared.schema) validateSchema(version, spec, 'spec.validation', errors);
  if (shared.subresources) validateSubresources(version.subresources, 'spec.subresources', errors);
  if (shared.columns) validateColumns(version, 'spec.additionalPrinterColumns', errors);
  if (shared.fields) validateFields(version, 'spec.selectableFields', errors);
}

function validateSpec(spec: CRD['spec'], checks: ConversionChecks, errors: FieldErrors): void {
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
  for (const [i, version] of spec.versions.entries()) validateVersion(version, { spec, field: `spec.versions[${i}]` }, shared, errors);
  if (new Set(spec.versions.map((v) => v.name)).size !== spec.versions.length) {
    errors.invalid('spec.versions', versionsMayNot(spec, shared), 'must contain unique version names');
  }
  if (spec.versions.filter((v) => v.storage).length !== 1) {
    errors.invalid('spec.versions', versionsMayNot(spec, shared), 'must have exactly one version marked as storage version');
  }
  // Upstream's older form has a version of its own, the first.
  const first = spec.versions[0]?.name;
  for (const bad of first === undefined ? [] : isDNS1035Label(first)) errors.invalid('spec.version', first, bad);
  validateNames(spec.names, 'spec.names', errors);
  validateShared(spec, shared, errors);
  validateConversion(spec.conversion, checks, errors);
}

export function validateDefinition(crd: CRD, errors: FieldErrors): void {
  const name = crd.metadata?.name ?? '';
  if (name !== `${crd.spec.names.plural}.${crd.spec.group}`)
    errors.invalid('metadata.name', name, 'must be spec.names.plural+"."+spec.group');
  validateSpec(crd.spec, { knownReviewVersion: true, caBundle: false }, errors);
  validateStoredVersions(crd, errors);
  validateApproval(crd, undefined, errors);
  if (crd.spec.preserveUnknownFields === true) {
    errors.invalid(
      'spec.preserveUnknownFields',
      true,
      'cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead',
    );
  }
}

/** What was wrong before may stay so: checks have become stricter with time. */
function newErrors(found: FieldErrors, old: CRD): readonly FieldError[] {
  const before = new FieldErrors();
  validateSpec(old.spec, { knownReviewVersion: true, caBundle: true }, before);
  const known = new Set(before.list.map((e) => `${e.field} ${e.body}`));
  return found.list.filter((e) => !known.has(`${e.field} ${e.body}`));
}

export function validateDefinitionUpdate(crd: CRD, old: CRD, errors: FieldErrors): void {
  const established = old.status?.conditions?.some((c) => c.type === 'Established' && c.status === 'True') ?? false;
  const found = new FieldErrors();
  validateSpec(crd.spec, conversionChecksOf(old, established), found);
  errors.list.push(...(found.empty ? [] : newErrors(found, old)));
  const fixed = (field: string, value: unknown, before: unknown): void => {
    if (!jsonEqual((value ?? null) as Json, (before ?? null) as Json)) errors.invalid(field, value, 'field is immutable');
  };
  if (established) {
    fixed('spec.scope', crd.spec.scope, old.spec.scope);
    fixed('spec.names.kind', crd.spec.names.kind, old.spec.names.kind);
  }
  fixed('spec.group', crd.spec.group, old.spec.group);
  fixed('spec.names.plural', crd.spec.names.plural, old.spec.names.plural);
  validateStoredVersions(crd, errors);
  validateApproval(crd, old, errors);
}

function validateStoredVersions(crd: CRD, errors: FieldErrors): void {
  const stored = crd.status?.storedVersions ?? [];
  const at = 'status.storedVersions';
  if (stored.length === 0) return errors.invalid(at, null, 'must have at least one stored version');
  const listed = new Set(stored);
  for (const { name, storage } of crd.spec.versions) {
    if (storage && !listed.has(name)) errors.invalid(at, stored, `must have the storage version ${name}`);
    // As upstream's: a name that comes twice is found once.
    listed.delete(name);
  }
  for (const name of listed) {
    errors.invalid(
      `${at}[${stored.lastIndexOf(name)}]`,
      name,
      'missing from spec.versions; ' +
        `${name} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${name} and removes ${name} from status.storedVersions`,
    );
  }
}

const approved = 'api-approved.kubernetes.io';
const isProtected = (group: string): boolean => /(?:^|\.)(?:k8s|kubernetes)\.io$/.test(group);

/** Groups of the community want to know who agreed to a kind. */
function approvalOf(crd: CRD): 'missing' | 'bypassed' | 'approved' | 'invalid' {
  const text = crd.metadata?.annotations?.[approved] ?? '';
  if (text === '') return 'missing';
  if (text.startsWith('unapproved')) return 'bypassed';
  return URL.canParse(text) && new URL(text).host !== '' ? 'approved' : 'invalid';
}

function validateApproval(crd: CRD, old: CRD | undefined, errors: FieldErrors): void {
  if (!isProtected(crd.spec.group)) return;
  const state = approvalOf(crd);
  if (old !== undefined && approvalOf(old) === state) return;
  const at = `metadata.annotations[${approved}]`;
  const must = `protected groups must have approval annotation "${approved}"`;
  const see = 'see https://github.com/kubernetes/enhancements/pull/1111';
  if (state === 'missing') errors.required(at, `${must}, ${see}`);
  else if (state === 'invalid')
    errors.invalid(at, crd.metadata?.annotations?.[approved], `${must} with either a URL or a reason starting with "unapproved", ${see}`);
}

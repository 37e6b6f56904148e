import {
  type DeepReadonly,
  FieldErrors,
  type Json,
  jsonEqual,
  type JsonObject,
  patternError,
  type StructuralSchema,
} from '@skiff/apimachinery';
import { validateDefaults } from './validate-defaults.ts';

type Schema = DeepReadonly<JsonObject>;
type Level = 'root' | 'item' | 'field';

const isSchema = (value: unknown): value is Schema => typeof value === 'object' && value !== null && !Array.isArray(value);
const schemasOf = (value: unknown): readonly Schema[] => (Array.isArray(value) ? value.filter(isSchema) : []);
const propertiesOf = (s: Schema): readonly (readonly [string, Schema])[] =>
  isSchema(s['properties']) ? Object.entries(s['properties']).filter((e): e is [string, Schema] => isSchema(e[1])) : [];
const isOn = (s: Schema, extension: string): boolean => s[extension] === true;

const preserve = 'x-kubernetes-preserve-unknown-fields';
const embedded = 'x-kubernetes-embedded-resource';
const intOrString = 'x-kubernetes-int-or-string';
const intOrStringForm = [{ type: 'integer' }, { type: 'string' }];

/** What only a schema's own nodes may say, not the branches of allOf, anyOf, oneOf and not. */
const ownWords: readonly (readonly [string, string])[] = [
  ['type', 'must be empty to be structural'],
  ['default', 'must be undefined to be structural'],
  ['title', 'must be empty to be structural'],
  ['description', 'must be empty to be structural'],
  ['nullable', 'must be false to be structural'],
  [preserve, 'must be false to be structural'],
  [embedded, 'must be false to be structural'],
  [intOrString, 'must be false to be structural'],
  ['x-kubernetes-list-map-keys', 'must be empty to be structural'],
  ['x-kubernetes-list-type', 'must be undefined to be structural'],
  ['x-kubernetes-map-type', 'must be undefined to be structural'],
  ['x-kubernetes-validations', 'must be empty to be structural'],
  ['additionalProperties', 'must be undefined to be structural'],
];

/** What schemas may not use at all in Kubernetes. */
const forbidden: readonly (readonly [string, string])[] = [
  ['definitions', 'definitions is not supported'],
  ['dependencies', 'dependencies is not supported'],
  ['id', 'id is not supported'],
  ['additionalItems', 'additionalItems is not supported'],
  ['patternProperties', 'patternProperties is not supported'],
  ['$ref', '$ref is not supported'],
];

const maxDepth = 64;
/** What keeps a schema from being looked at as a structural one at all; only that is told of then. */
const unstructured = ['definitions', 'dependencies', 'id', 'additionalItems', 'patternProperties', '$ref'];

interface Findings {
  /** Of what makes a schema structural (KEP-1111): every node says its type, and branches of allOf, anyOf, oneOf and not only narrow it. */
  readonly structural: FieldErrors;
  /** Of words, wherever they stand. */
  readonly words: FieldErrors;
  isStructured: boolean;
}

/** Checks a version's schema: its structure, its defaults, its words; in upstream's order. */
export function validateStructuralSchema(schema: Schema, field: string, errors: FieldErrors): void {
  const f: Findings = { structural: new FieldErrors(), words: new FieldErrors(), isStructured: true };
  validateNode(schema, { level: 'root', field, depth: 0, forbidDefault: '' }, f);
  if (schema['nullable'] === true) errors.forbidden(`${field}.nullable`, 'nullable cannot be true at the root');
  if (f.isStructured) {
    const found = f.structural.list.toSorted((a, b) => (`${a.field}: ${a.body}` < `${b.field}: ${b.body}` ? -1 : 1));
    if (found.length > 0) errors.list.push(...found);
    else validateDefaults(schema as StructuralSchema, field, errors);
  }
  errors.list.push(...f.words.list);
}

/** A node's place. */
interface Node {
  readonly level: Level;
  readonly field: string;
  readonly depth: number;
  /** Where defaults have no place: what that is. */
  readonly forbidDefault: string;
}

function validateNode(s: Schema, at: Node, f: Findings): void {
  const { structural, words } = f;
  const { level, field, depth, forbidDefault } = at;
  if (depth > maxDepth) return structural.invalid(field, '', `must not be nested more than ${maxDepth} levels deep`);
  const type = (s['type'] ?? '') as string;
  if (type !== '' && !types.has(type)) words.notSupported(`${field}.type`, type, [...types].sort());
  if (s['default'] !== undefined && forbidDefault !== '') words.forbidden(`${field}.default`, `must not be set ${forbidDefault}`);
  for (const [word, why] of forbidden) if (s[word] !== undefined) words.forbidden(`${field}.${word}`, why);
  const items = s['items'];
  if (Array.isArray(items)) words.forbidden(`${field}.items`, 'items must be a schema object and not an array');
  if (Array.isArray(items) || unstructured.some((word) => s[word] !== undefined)) f.isStructured = false;
  if (s['uniqueItems'] === true) {
    words.forbidden(`${field}.uniqueItems`, 'uniqueItems cannot be set to true since the runtime complexity becomes quadratic');
  }
  if (type === 'array' && items === undefined) structural.required(`${field}.items`, 'must be specified');
  validateAdditional(s, at, f);
  for (const [name, property] of propertiesOf(s)) {
    const why = level === 'root' && metaFields.has(name) ? `in top-level ${name}` : forbidDefault;
    validateNode(property, { level: 'field', field: `${field}.properties[${name}]`, depth: depth + 1, forbidDefault: why }, f);
  }
  if (isSchema(items)) validateNode(items, { level: 'item', field: `${field}.items`, depth: depth + 1, forbidDefault }, f);
  validateExtensions(s, field, f);
  validateValues(s, field, structural, depth);
  validateType(s, level, field, structural);
  validateTypeMeta(s, level, field, structural);
}

const metaFields: ReadonlySet<string> = new Set(['metadata', 'kind', 'apiVersion']);

function validateAdditional(s: Schema, { level, field, depth, forbidDefault }: Node, f: Findings): void {
  const more = s['additionalProperties'];
  if (more === undefined) return;
  const at = `${field}.additionalProperties`;
  if (level === 'root') f.structural.forbidden(at, 'must not be used at the root');
  if (isOn(s, embedded)) f.structural.forbidden(at, 'must not be used if x-kubernetes-embedded-resource is set');
  if (more !== true && propertiesOf(s).length > 0) f.words.forbidden(at, 'additionalProperties and properties are mutual exclusive');
  if (isSchema(more)) validateNode(more, { level: 'field', field: at, depth: depth + 1, forbidDefault }, f);
}

const listTypes = ['atomic', 'set', 'map'];

function validateExtensions(s: Schema, field: string, { structural, words }: Findings): void {
  if (isOn(s, intOrString) && isOn(s, preserve))
    structural.invalid(`${field}.${preserve}`, true, `must be false if ${intOrString} is true`);
  if (isOn(s, intOrString) && isOn(s, embedded))
    structural.invalid(`${field}.${embedded}`, true, `must be false if ${intOrString} is true`);
  if (s[preserve] === false) words.invalid(`${field}.${preserve}`, false, 'must be true or undefined');
  const wrongType = (wanted: string, extension: string): void => {
    const why = `must be ${wanted} if ${extension} is specified`;
    if (!s['type']) words.required(`${field}.type`, why);
    else words.invalid(`${field}.type`, s['type'], why);
  };
  const mapType = s['x-kubernetes-map-type'];
  if (mapType !== undefined && s['type'] !== 'object') wrongType('object', 'x-kubernetes-map-type');
  if (mapType !== undefined && mapType !== 'atomic' && mapType !== 'granular')
    words.notSupported(`${field}.x-kubernetes-map-type`, mapType, ['atomic', 'granular']);
  const listType = s['x-kubernetes-list-type'];
  const keys = s['x-kubernetes-list-map-keys'];
  if (listType !== undefined) {
    if (s['type'] !== 'array') wrongType('array', 'x-kubernetes-list-type');
    else if (listType === 'set') validateSetItems(s, field, words);
    if (!listTypes.includes(listType as string)) words.notSupported(`${field}.x-kubernetes-list-type`, listType, listTypes);
  }
  if (Array.isArray(keys) && keys.length > 0 && listType !== 'map') {
    const why = 'must be map if x-kubernetes-list-map-keys is non-empty';
    if (listType === undefined) words.required(`${field}.x-kubernetes-list-type`, why);
    else words.invalid(`${field}.x-kubernetes-list-type`, listType, why);
  }
  if (listType === 'map') validateMapKeys(s, Array.isArray(keys) ? (keys as string[]) : [], field, words);
  if (listType === 'set' && isSchema(s['items']) && s['items']['nullable'] === true)
    words.forbidden(`${field}.items.nullable`, 'cannot be nullable when x-kubernetes-list-type is set');
}

/** What is compared as a whole must be kept as a whole. */
function validateSetItems(s: Schema, field: string, words: FieldErrors): void {
  const items = isSchema(s['items']) ? s['items'] : {};
  const why = 'must be atomic as item of a list with x-kubernetes-list-type=set';
  const [listType, mapType] = [items['x-kubernetes-list-type'], items['x-kubernetes-map-type']];
  if (items['type'] === 'array' && listType !== undefined && listType !== 'atomic')
    words.invalid(`${field}.items.x-kubernetes-list-type`, listType, why);
  if (items['type'] === 'object' && mapType !== 'atomic') words.invalid(`${field}.items.x-kubernetes-map-type`, null, why);
}

function validateMapKeys(s: Schema, keys: readonly string[], field: string, words: FieldErrors): void {
  const at = `${field}.x-kubernetes-list-map-keys`;
  if (keys.length === 0) words.required(at, 'must not be empty if x-kubernetes-list-type is map');
  if (s['items'] === undefined) words.required(`${field}.items`, 'must have a schema if x-kubernetes-list-type is map');
  if (!isSchema(s['items'])) return;
  const items = s['items'];
  if (items['type'] !== 'object')
    return words.invalid(`${field}.items.type`, items['type'] ?? '', "must be object if parent array's x-kubernetes-list-type is map");
  const properties = new Map(propertiesOf(items));
  for (const [i, key] of keys.entries()) {
    const type = properties.get(key)?.['type'];
    if (!properties.has(key)) words.invalid(at, keys, 'entries must all be names of item properties');
    else if (type === 'array' || type === 'object')
      words.invalid(
        `${field}.items.properties[${key}].type`,
        items['type'],
        `must be a scalar type if parent array's x-kubernetes-list-type is map`,
      );
    if (keys.indexOf(key) < i) words.invalid(at, keys, 'must not contain duplicate entries');
  }
  const required = new Set(Array.isArray(items['required']) ? items['required'] : []);
  if (items['nullable'] === true) words.forbidden(`${field}.items.nullable`, 'cannot be nullable when x-kubernetes-list-type is map');
  for (const key of keys) {
    const property = properties.get(key);
    if (property === undefined || property['default'] !== undefined || required.has(key)) continue;
    words.required(
      `${field}.items.properties[${key}].default`,
      'this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property',
    );
  }
}

/** Branches that say nothing but "a number or a string" stand beside x-kubernetes-int-or-string by convention. */
const isIntOrStringForm = (branches: readonly Schema[]): boolean => jsonEqual(branches as unknown as Json, intOrStringForm);

function validateValues(s: Schema, field: string, errors: FieldErrors, depth: number): void {
  const anyOf = schemasOf(s['anyOf']);
  if (!isIntOrStringForm(anyOf)) anyOf.forEach((b, i) => validateBranch(b, `${field}.anyOf[${i}]`, errors, depth + 1));
  schemasOf(s['oneOf']).forEach((b, i) => validateBranch(b, `${field}.oneOf[${i}]`, errors, depth + 1));
  schemasOf(s['allOf']).forEach((b, i) => {
    const inner = schemasOf(b['anyOf']);
    const plain = i === 0 && isIntOrStringForm(inner) ? { ...b, anyOf: [] } : b;
    validateBranch(plain, `${field}.allOf[${i}]`, errors, depth + 1);
  });
  if (isSchema(s['not'])) validateBranch(s['not'], `${field}.not`, errors, depth + 1);
  const pattern = s['pattern'];
  if (typeof pattern !== 'string' || pattern === '') return;
  const bad = patternError(pattern);
  if (bad !== undefined) errors.invalid(`${field}.pattern`, pattern, `must be a valid regular expression, but isn't: ${bad}`);
}

function validateBranch(s: Schema, field: string, errors: FieldErrors, depth: number): void {
  if (depth > maxDepth) return errors.invalid(field, '', `must not be nested more than ${maxDepth} levels deep`);
  for (const [word, why] of ownWords) {
    const value = s[word];
    if (value !== undefined && value !== false && value !== '' && !(Array.isArray(value) && value.length === 0))
      errors.forbidden(`${field}.${word}`, why);
  }
  validateValues(s, field, errors, depth);
  if (isSchema(s['items'])) validateBranch(s['items'], `${field}.items`, errors, depth + 1);
  for (const [name, property] of propertiesOf(s)) {
    const at = `${field}.properties[${name}]`;
    if (name === 'metadata') errors.forbidden(at, 'must not be specified in a nested context');
    validateBranch(property, at, errors, depth + 1);
  }
}

const types: ReadonlySet<string> = new Set(['string', 'integer', 'number', 'boolean', 'array', 'object']);
const emptyType: Readonly<Record<Level, string>> = {
  root: 'must not be empty at the root',
  item: 'must not be empty for specified array items',
  field: 'must not be empty for specified object fields',
};

function validateType(s: Schema, level: Level, field: string, errors: FieldErrors): void {
  const type = (s['type'] ?? '') as string;
  const at = `${field}.type`;
  if (isOn(s, embedded) && type !== 'object') {
    const why = 'must be object if x-kubernetes-embedded-resource is true';
    if (type === '') errors.required(at, why);
    else errors.invalid(at, type, why);
  } else if (type === '' && !isOn(s, intOrString) && !isOn(s, preserve)) errors.required(at, emptyType[level]);
  if (level === 'root' && type !== '' && type !== 'object') errors.invalid(at, type, 'must be object at the root');
  if (isOn(s, embedded) && !isOn(s, preserve) && propertiesOf(s).length === 0) {
    errors.required(
      `${field}.properties`,
      'must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields',
    );
  }
}

/** kind, apiVersion and metadata are implied; a schema may only narrow names. */
function validateTypeMeta(s: Schema, level: Level, field: string, errors: FieldErrors): void {
  if (level !== 'root' && !isOn(s, embedded)) return;
  const properties = new Map(propertiesOf(s));
  for (const name of ['kind', 'apiVersion']) {
    const type = properties.get(name)?.['type'];
    if (properties.has(name) && type !== 'string') errors.invalid(`${field}.properties[${name}].type`, type ?? '', 'must be string');
  }
  const metadata = properties.get('metadata');
  if (metadata === undefined) return;
  const at = `${field}.properties[metadata]`;
  if (metadata['type'] !== 'object') errors.invalid(`${at}.type`, metadata['type'] ?? '', 'must be object');
  if (level !== 'root') return;
  const { type: _type, description: _description, properties: _properties, ...more } = metadata;
  const named = propertiesOf(metadata).map(([name]) => name);
  if (named.some((name) => name !== 'name' && name !== 'generateName') || Object.keys(more).length > 0) {
    errors.forbidden(at, 'must not specify anything other than name and generateName, but metadata is implicitly specified');
  }
}

import { type DeepReadonly, type FieldErrors, type Json, jsonEqual, type JsonObject, patternError } from '@skiff/apimachinery';

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

/**
 * A version's schema must be structural (KEP-1111): every node says its type, and branches of allOf, anyOf, oneOf and not only
 * narrow what the nodes say.
 */
export function validateStructuralSchema(schema: Schema, field: string, errors: FieldErrors): void {
  validateNode(schema, 'root', field, errors, 0);
}

function validateNode(s: Schema, level: Level, field: string, errors: FieldErrors, depth: number): void {
  if (depth > maxDepth) return errors.invalid(field, '', `must not be nested more than ${maxDepth} levels deep`);
  for (const [word, why] of forbidden) if (s[word] !== undefined) errors.forbidden(`${field}.${word}`, why);
  if (s['uniqueItems'] === true) {
    errors.forbidden(`${field}.uniqueItems`, 'uniqueItems cannot be set to true since the runtime complexity becomes quadratic');
  }
  const items = s['items'];
  if (Array.isArray(items)) errors.forbidden(`${field}.items`, 'items must be a schema object and not an array');
  if (s['type'] === 'array' && items === undefined) errors.required(`${field}.items`, 'must be specified');
  if (isSchema(items)) validateNode(items, 'item', `${field}.items`, errors, depth + 1);
  for (const [name, property] of propertiesOf(s)) validateNode(property, 'field', `${field}.properties[${name}]`, errors, depth + 1);
  validateAdditional(s, level, field, errors, depth);
  validateExtensions(s, field, errors);
  validateValues(s, field, errors, depth);
  validateType(s, level, field, errors);
  validateTypeMeta(s, level, field, errors);
}

function validateAdditional(s: Schema, level: Level, field: string, errors: FieldErrors, depth: number): void {
  const more = s['additionalProperties'];
  if (more === undefined) return;
  const at = `${field}.additionalProperties`;
  if (level === 'root') errors.forbidden(at, 'must not be used at the root');
  if (isOn(s, embedded)) errors.forbidden(at, 'must not be used if x-kubernetes-embedded-resource is set');
  if (more === false) errors.forbidden(at, 'additionalProperties cannot be set to false');
  if (propertiesOf(s).length > 0) errors.forbidden(at, 'additionalProperties and properties are mutual exclusive');
  if (isSchema(more)) validateNode(more, 'field', at, errors, depth + 1);
}

const listTypes = ['atomic', 'map', 'set'];

function validateExtensions(s: Schema, field: string, errors: FieldErrors): void {
  if (isOn(s, intOrString) && isOn(s, preserve)) errors.invalid(`${field}.${preserve}`, true, `must be false if ${intOrString} is true`);
  if (isOn(s, intOrString) && isOn(s, embedded)) errors.invalid(`${field}.${embedded}`, true, `must be false if ${intOrString} is true`);
  if (s[preserve] === false) errors.invalid(`${field}.${preserve}`, false, 'must be true or undefined');
  const listType = s['x-kubernetes-list-type'];
  const keys = s['x-kubernetes-list-map-keys'];
  if (listType !== undefined) {
    if (s['type'] !== 'array') errors.invalid(`${field}.type`, s['type'] ?? '', 'must be array if x-kubernetes-list-type is specified');
    if (!listTypes.includes(listType as string)) errors.notSupported(`${field}.x-kubernetes-list-type`, listType, listTypes);
  }
  if (Array.isArray(keys) && keys.length > 0 && listType !== 'map') {
    errors.invalid(`${field}.x-kubernetes-list-type`, listType ?? '', 'must be map if x-kubernetes-list-map-keys is non-empty');
  }
  if (listType === 'map') validateMapKeys(s, Array.isArray(keys) ? (keys as string[]) : [], field, errors);
  const mapType = s['x-kubernetes-map-type'];
  if (mapType === undefined) return;
  if (s['type'] !== 'object') errors.invalid(`${field}.type`, s['type'] ?? '', 'must be object if x-kubernetes-map-type is specified');
  if (mapType !== 'atomic' && mapType !== 'granular')
    errors.notSupported(`${field}.x-kubernetes-map-type`, mapType, ['atomic', 'granular']);
}

function validateMapKeys(s: Schema, keys: readonly string[], field: string, errors: FieldErrors): void {
  if (keys.length === 0) errors.required(`${field}.x-kubernetes-list-map-keys`, 'must not be empty if x-kubernetes-list-type is map');
  const items = isSchema(s['items']) ? s['items'] : {};
  if (items['type'] !== 'object')
    errors.invalid(`${field}.items.type`, items['type'] ?? '', "must be object if parent array's x-kubernetes-list-type is map");
  const properties = new Map(propertiesOf(items));
  for (const key of keys) {
    const property = properties.get(key);
    if (property === undefined) {
      errors.invalid(`${field}.x-kubernetes-list-map-keys`, keys, 'entries must all be names of item properties');
    } else if (property['type'] === 'array' || property['type'] === 'object') {
      errors.invalid(
        `${field}.items.properties[${key}].type`,
        property['type'],
        `must be a scalar type if parent array's x-kubernetes-list-type is map`,
      );
    }
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
  if (type !== '' && !types.has(type)) errors.notSupported(at, type, [...types].sort());
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

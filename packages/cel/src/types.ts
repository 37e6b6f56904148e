/**
 * The types of CEL. A type doubles as the schema that guides how JSON is read: lists know whether they are sets or maps, objects know
 * their fields, and strings, lists and maps how long they may get (for cost estimates).
 */

export type ScalarKind =
  | 'dyn'
  | 'any'
  | 'null'
  | 'bool'
  | 'int'
  | 'uint'
  | 'double'
  | 'string'
  | 'bytes'
  | 'timestamp'
  | 'duration'
  | 'error';

export interface ScalarType {
  readonly kind: ScalarKind;
  /** The most characters or bytes that a value has; undefined = not known. */
  readonly maxLength?: number | undefined;
}
export interface ListType {
  readonly kind: 'list';
  readonly element: CelType;
  /** `set` and `map` lists are compared without regard to order. */
  readonly listType?: 'set' | 'map' | undefined;
  readonly mapKeys?: readonly string[] | undefined;
  readonly maxLength?: number | undefined;
}
export interface MapType {
  readonly kind: 'map';
  readonly key: CelType;
  readonly value: CelType;
  readonly maxLength?: number | undefined;
}
export interface FieldType {
  readonly type: CelType;
  /** The property's name in JSON, where it is not the CEL name. */
  readonly property?: string | undefined;
}
/** A type with named fields. Two such types are the same when their names are. */
export interface ObjectType {
  readonly kind: 'object';
  readonly name: string;
  readonly fields: ReadonlyMap<string, FieldType>;
  /** Fields that are null are as if they were not there. */
  readonly nullIsAbsent?: boolean | undefined;
  readonly maxLength?: number | undefined;
}
/** Words that are no identifiers; properties of these names are fields called `__name__`. */
export const reservedWords: ReadonlySet<string> = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(' '),
);
/** A field by its name in expressions. */
export const fieldOf = (t: ObjectType, name: string): FieldType | undefined =>
  t.fields.get(name) ?? (reservedWords.has(name) ? t.fields.get(`__${name}__`) : undefined);

export interface OpaqueType {
  readonly kind: 'opaque';
  readonly name: string;
  readonly parameters: readonly CelType[];
}
export interface TypeOfType {
  readonly kind: 'type';
  readonly of: CelType | undefined;
}
export interface TypeParameter {
  readonly kind: 'param';
  readonly name: string;
}
export type CelType = ScalarType | ListType | MapType | ObjectType | OpaqueType | TypeOfType | TypeParameter;

export const dynType: ScalarType = { kind: 'dyn' };
export const anyType: ScalarType = { kind: 'any' };
export const nullType: ScalarType = { kind: 'null' };
export const boolType: ScalarType = { kind: 'bool' };
export const intType: ScalarType = { kind: 'int' };
export const uintType: ScalarType = { kind: 'uint' };
export const doubleType: ScalarType = { kind: 'double' };
export const stringType: ScalarType = { kind: 'string' };
export const bytesType: ScalarType = { kind: 'bytes' };
export const timestampType: ScalarType = { kind: 'timestamp' };
export const durationType: ScalarType = { kind: 'duration' };
export const errorType: ScalarType = { kind: 'error' };

export const listOf = (element: CelType): ListType => ({ kind: 'list', element });
export const mapOf = (key: CelType, value: CelType): MapType => ({ kind: 'map', key, value });
export const optionalOf = (of: CelType): OpaqueType => ({ kind: 'opaque', name: 'optional_type', parameters: [of] });
export const typeOf = (of: CelType | undefined): TypeOfType => ({ kind: 'type', of });
export const typeParameter = (name: string): TypeParameter => ({ kind: 'param', name });
/** `fields`: by the names that expressions use. */
export function objectType(name: string, fields: Readonly<Record<string, CelType>> = {}): ObjectType {
  return { kind: 'object', name, fields: new Map(Object.entries(fields).map(([k, type]) => [k, { type }])) };
}

export const isOptional = (t: CelType): t is OpaqueType => t.kind === 'opaque' && t.name === 'optional_type';
/** What is known at run time only fits everything. */
export const isDynOrError = (t: CelType): boolean => t.kind === 'dyn' || t.kind === 'any' || t.kind === 'error';

const scalarNames: Partial<Record<CelType['kind'], string>> = { error: '!error!', any: 'google.protobuf.Any' };

/** A type as messages spell it: `list(string)`, `optional_type(int)`. */
export function formatType(t: CelType): string {
  switch (t.kind) {
    case 'list':
      return `list(${formatType(t.element)})`;
    case 'map':
      return `map(${formatType(t.key)}, ${formatType(t.value)})`;
    case 'object':
    case 'param':
      return t.name;
    case 'opaque':
      return t.parameters.length === 0 ? t.name : `${t.name}(${t.parameters.map(formatType).join(', ')})`;
    case 'type':
      return t.of === undefined ? 'type' : `type(${formatType(t.of)})`;
    default:
      return scalarNames[t.kind] ?? t.kind;
  }
}

const runtimeNames: Partial<Record<CelType['kind'], string>> = {
  null: 'null_type',
  timestamp: 'google.protobuf.Timestamp',
  duration: 'google.protobuf.Duration',
  any: 'google.protobuf.Any',
};

/** A type's name at run time, as `string(type(x))` and conversion errors have it. */
export function typeName(t: CelType): string {
  if (t.kind === 'object' || t.kind === 'opaque' || t.kind === 'param') return t.name;
  return runtimeNames[t.kind] ?? t.kind;
}

/** Same kind, name and parameters. */
export function sameType(a: CelType, b: CelType): boolean {
  if (a === b) return true;
  switch (a.kind) {
    case 'list':
      return b.kind === 'list' && sameType(a.element, b.element);
    case 'map':
      return b.kind === 'map' && sameType(a.key, b.key) && sameType(a.value, b.value);
    case 'object':
    case 'param':
      return b.kind === a.kind && a.name === b.name;
    case 'opaque':
      return (
        b.kind === 'opaque' &&
        a.name === b.name &&
        a.parameters.length === b.parameters.length &&
        a.parameters.every((p, i) => sameType(p, b.parameters[i]!))
      );
    case 'type':
      return b.kind === 'type' && (a.of === undefined ? b.of === undefined : b.of !== undefined && sameType(a.of, b.of));
    default:
      return a.kind === b.kind;
  }
}

import type { FieldSchema, TypeSchema } from '@skiff/apimachinery';
import { builtinSchemas } from './generated/index.ts';

const zeros: Readonly<Partial<Record<string, unknown>>> = {
  string: '',
  boolean: false,
  int32: 0,
  int64: 0,
  float64: 0,
  quantity: '0',
  intOrString: 0,
};

function goField(field: FieldSchema, value: unknown): unknown {
  if (value !== undefined && value !== null) return goTyped(field.type, value);
  if (field.pointer) return null;
  if (field.type.kind === 'struct') return goValue(field.type.name, {});
  return field.type.kind === 'scalar' ? (zeros[field.type.scalar] ?? null) : null;
}

function goTyped(type: TypeSchema, value: unknown): unknown {
  if (type.kind === 'struct') return goValue(type.name, value as object);
  if (type.kind === 'list' && Array.isArray(value)) return value.map((item: unknown) => goTyped(type.items, item));
  return value;
}

/**
 * What `field.Invalid` prints of a Go struct: upstream validates its internal types, which have no JSON names, so that the message
 * shows every field under its Go name, absent ones included.
 */
export function goValue(structName: string, value: object): unknown {
  const struct = builtinSchemas.struct(structName);
  if (struct === undefined || struct.name.includes('apimachinery')) return value;
  const fields = value as Readonly<Record<string, unknown>>;
  return Object.fromEntries(struct.fields.map((field) => [field.goName, goField(field, fields[field.name])]));
}

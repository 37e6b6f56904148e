import type { FieldSchema, StructSchema, TypeSchema } from '@skiff/apimachinery';
import { builtinSchemas } from './generated/index.ts';
import { sortedMap } from './sorted-map.ts';

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
  if (type.kind === 'map') return sortedMap(value as PlainObject);
  return value;
}

/** A struct that upstream uses as it is on the wire, with its JSON names (LabelSelector and the like). */
function wireValue(struct: StructSchema, value: PlainObject): PlainObject {
  return Object.fromEntries(
    struct.fields
      .filter((f) => f.omit === 'never' || !isEmpty(value[f.name]))
      .map((f) => [f.name, goField({ ...f, pointer: f.pointer && value[f.name] === undefined }, value[f.name])]),
  );
}

const hostFields = ['hostNetwork', 'hostPID', 'hostIPC', 'shareProcessNamespace', 'hostUsers'];

/** Where upstream's internal type is laid out otherwise than the one of v1. */
const internalForms: Readonly<Record<string, (value: PlainObject) => { drop: readonly string[]; value: PlainObject }>> = {
  'io.k8s.api.core.v1.PodSpec': (spec) => ({
    drop: ['serviceAccount', ...hostFields],
    value: { ...spec, securityContext: { ...(spec['securityContext'] as PlainObject | undefined), [hostKey]: spec } },
  }),
};
type PlainObject = Readonly<Record<string, unknown>>;
/** Carries the PodSpec to its security context, which shows these fields first. */
const hostKey = '\u0000host';

function hostFieldsOf(spec: PlainObject): [string, unknown][] {
  const struct = builtinSchemas.struct('io.k8s.api.core.v1.PodSpec');
  return (struct?.fields ?? []).filter((f) => hostFields.includes(f.name)).map((f) => [f.goName, goField(f, spec[f.name])]);
}

/** Field → the one that the internal type has it in front of. */
const movedBefore: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'io.k8s.api.core.v1.PodSpec': { setHostnameAsFQDN: 'affinity', preemptionPolicy: 'dnsConfig', overhead: 'enableServiceLinks' },
  'io.k8s.api.core.v1.PodSecurityContext': { fsGroupChangePolicy: 'sysctls' },
  'io.k8s.api.core.v1.VolumeSource': { quobyte: 'flexVolume' },
  'io.k8s.api.core.v1.Volume': { quobyte: 'flexVolume' },
  'io.k8s.api.core.v1.PersistentVolumeSource': { quobyte: 'iscsi' },
  'io.k8s.api.autoscaling.v2.ContainerResourceMetricSource': { container: 'target' },
};

function inInternalOrder(struct: string, fields: readonly FieldSchema[]): readonly FieldSchema[] {
  const moves = movedBefore[struct];
  if (moves === undefined) return fields;
  return fields
    .filter((f) => moves[f.name] === undefined)
    .flatMap((field) => [...fields.filter((f) => moves[f.name] === field.name), field]);
}

/**
 * What `field.Invalid` prints of a Go struct: upstream validates its internal types, which have no JSON names, so that the message
 * shows every field under its Go name, absent ones included.
 */
export function goValue(structName: string, value: object): unknown {
  const struct = builtinSchemas.struct(structName);
  if (struct === undefined) return value;
  if (struct.name.includes('apimachinery')) return wireValue(struct, value as PlainObject);
  const form = internalForms[structName]?.(value as PlainObject) ?? { drop: [], value: value as PlainObject };
  const host = form.value[hostKey] as PlainObject | undefined;
  const fields = inInternalOrder(
    struct.name,
    struct.fields.filter((f) => !form.drop.includes(f.name)),
  );
  return Object.fromEntries([
    ...(host === undefined ? [] : hostFieldsOf(host)),
    ...fields.flatMap((field): [string, unknown][] => {
      const value = form.value[field.name];
      // Embedded, and with the names of JSON.
      if (field.name === 'metadata') return Object.entries(sortedMeta(value as PlainObject | undefined));
      return [[field.goName, goField(field, value)]];
    }),
  ]);
}

/** A selector as messages show it; null where there is none. */
export const shownSelector = (selector: object | null | undefined): unknown =>
  selector === undefined || selector === null ? null : goValue('io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector', selector);

/** Metadata as Go prints it: fields in the order of the struct, maps sorted, what is empty left out. */
function sortedMeta(meta: PlainObject | undefined): PlainObject {
  const struct = builtinSchemas.struct('io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta');
  const names = (struct?.fields ?? []).map((f) => f.name).filter((name) => !isEmpty(meta?.[name]));
  return Object.fromEntries(names.map((name) => [name, sortedMaps(meta?.[name])]));
}

const isEmpty = (value: unknown): boolean =>
  value === undefined || value === null || value === '' || (typeof value === 'object' && Object.keys(value).length === 0);

const sortedMaps = (value: unknown): unknown =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? sortedMap(value as PlainObject) : value;

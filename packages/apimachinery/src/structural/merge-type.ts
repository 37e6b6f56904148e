import { lookupTable } from '../lookup-table.ts';
import { type MergeField, type MergeMap, type MergeType, untyped } from '../apply/merge-type.ts';
import type { Json } from '../object.ts';
import { propertyOf, type StructuralSchema } from './schema.ts';

/** Fields of custom resources are written whenever they are there. */
const writtenAlways = (): boolean => false;
const field = (name: string, type: MergeType): [string, MergeField] => [name, { name, type, omits: writtenAlways, zero: null }];

const scalars = lookupTable<'string' | 'numeric' | 'boolean'>({
  string: 'string',
  integer: 'numeric',
  number: 'numeric',
  boolean: 'boolean',
});
const text: MergeType = { kind: 'scalar', scalar: 'string' };

/** How custom objects merge under server-side apply. `objectMeta` is the built-in type of metadata. */
export function structuralMergeType(schema: StructuralSchema, objectMeta: MergeMap): MergeMap {
  const preserveRoot = schema['x-kubernetes-preserve-unknown-fields'] === true;

  function convert(s: StructuralSchema, inherited: boolean): MergeType {
    const preserve = inherited || s['x-kubernetes-preserve-unknown-fields'] === true;
    const scalar = s.type === undefined ? undefined : scalars[s.type];
    if (scalar !== undefined) return { kind: 'scalar', scalar };
    if (s['x-kubernetes-int-or-string'] === true) return { kind: 'scalar', scalar: 'any' };
    if (s.type === 'array') return convertList(s, preserve);
    if (s.type === 'object') return convertObject(s, preserve, s['x-kubernetes-embedded-resource'] === true);
    return untyped;
  }

  function convertList(s: StructuralSchema, preserve: boolean): MergeType {
    const keys = s['x-kubernetes-list-map-keys'] ?? [];
    const keyDefaults = new Map<string, Json>();
    for (const key of keys) {
      const value = propertyOf(s.items, key)?.default;
      if (value !== undefined) keyDefaults.set(key, value);
    }
    return {
      kind: 'list',
      relation: s['x-kubernetes-list-type'] ?? 'atomic',
      keys: [...keys].sort(),
      keyDefaults,
      element: s.items === undefined ? untyped : convert(s.items, preserve),
    };
  }

  function convertObject(s: StructuralSchema, preserve: boolean, isResource: boolean): MergeMap {
    const properties = Object.entries(s.properties ?? {});
    const more = s.additionalProperties;
    const free = preserve || properties.length === 0 || more === true;
    const fields = new Map(properties.map(([name, p]) => field(name, convert(p, preserve))));
    if (isResource)
      for (const [name, f] of [field('apiVersion', text), field('kind', text), field('metadata', objectMeta)]) fields.set(name, f);
    return {
      kind: 'map',
      atomic: s['x-kubernetes-map-type'] === 'atomic',
      fields,
      element: typeof more === 'object' ? convert(more, preserve) : more === false ? undefined : free ? untyped : undefined,
      always: [],
    };
  }

  return convertObject({ ...schema, type: 'object' }, preserveRoot, true);
}

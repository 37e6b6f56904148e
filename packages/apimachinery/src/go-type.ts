import { scalarCodecs } from './scalars.ts';
import type { SchemaRegistry, StructSchema, TypeSchema } from './schema.ts';

/** `v1.PodSpec`, as Go prints the type. */
export const goStructName = (s: StructSchema): string => `${s.goPackage.slice(s.goPackage.lastIndexOf('/') + 1)}.${s.goName}`;

/** A type as Go prints it in errors: `[]v1.Container`, `map[string]string`, `v1.PodPhase`, `int32`. */
export function goTypeName(type: TypeSchema, registry: SchemaRegistry): string {
  switch (type.kind) {
    case 'scalar':
      return type.goType ?? scalarCodecs[type.scalar].goType;
    case 'struct': {
      const struct = registry.struct(type.name);
      return struct === undefined ? type.name : goStructName(struct);
    }
    case 'schemaOr':
      return `v1.JSONSchemaPropsOr${type.or}`;
    case 'list':
      return type.goType ?? `[]${goTypeName(type.items, registry)}`;
    case 'map':
      if (type.goType !== undefined && !type.goType.startsWith('[')) return type.goType;
      return `map${type.goType ?? '[string]'}${goTypeName(type.values, registry)}`;
  }
}

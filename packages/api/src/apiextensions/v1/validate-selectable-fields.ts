import type { DeepReadonly, FieldErrors, StructuralSchema } from '@skiff/apimachinery';
import type { SelectableField } from '../../generated/types/apiextensions-v1.ts';

const maxFields = 8;
const scalars: ReadonlySet<string> = new Set(['string', 'boolean', 'integer']);

/** The schema of a field by its path, or why there is none. */
function fieldAt(path: string, schema: StructuralSchema): StructuralSchema | string {
  let s: StructuralSchema | undefined = schema;
  const tokens = path.match(/[.[\]]|[^.[\]]+/g) ?? [];
  for (let i = 0; i < tokens.length; i += 2) {
    if (tokens[i] === '[') return 'array notation is not allowed';
    if (tokens[i] !== '.') return `expected [ or . but got: ${tokens[i]}`;
    const name = tokens[i + 1];
    if (name === undefined) return 'unexpected end of JSON path';
    const more: StructuralSchema | undefined = typeof s.additionalProperties === 'object' ? s.additionalProperties : undefined;
    s = more ?? s.properties?.[name];
    if (s === undefined) return 'does not refer to a valid field';
  }
  return s;
}

/** `selectableFields` of a version: simple paths to scalars (KEP-4358). */
export function validateSelectableFields(
  fields: readonly DeepReadonly<SelectableField>[],
  schema: StructuralSchema,
  field: string,
  errors: FieldErrors,
): void {
  const seen = new Set<string>();
  for (const [i, { jsonPath }] of fields.entries()) {
    const at = `${field}[${i}].jsonPath`;
    if (!jsonPath) {
      errors.required(at);
      continue;
    }
    const found = fieldAt(jsonPath, schema);
    if (typeof found === 'string') {
      errors.invalid(at, jsonPath, `is an invalid path: ${found}`);
      continue;
    }
    if (/^\.metadata(?:\.|$)/.test(jsonPath)) errors.invalid(at, jsonPath, 'must not point to fields in metadata');
    if (!scalars.has(found.type ?? ''))
      errors.invalid(
        at,
        jsonPath,
        'must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.',
      );
    if (seen.has(jsonPath)) errors.duplicate(at, jsonPath);
    seen.add(jsonPath);
  }
  if (seen.size > maxFields) errors.tooMany(field, seen.size, maxFields);
}

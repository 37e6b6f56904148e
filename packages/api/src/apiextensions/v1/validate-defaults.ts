import {
  FieldErrors,
  jsonEqual,
  type Json,
  type JsonObject,
  pruneUnknown,
  type StructuralSchema,
  validateAgainstSchema,
} from '@skiff/apimachinery';

const metaFields: ReadonlySet<string> = new Set(['metadata', 'kind', 'apiVersion']);

/** A default must be what it would stand for: nothing unknown in it, and valid. Those inside of metadata are judged elsewhere. */
export function validateDefaults(schema: StructuralSchema, field: string, errors: FieldErrors): void {
  walk({ ...schema, 'x-kubernetes-embedded-resource': true }, field, errors);
}

function walk(s: StructuralSchema, field: string, errors: FieldErrors): void {
  if (s.default !== undefined && s.default !== null) {
    const value = s.default as Json;
    const at = `${field}.default`;
    const pruned = { value: structuredClone(value) } as JsonObject;
    pruneUnknown(pruned, { type: 'object', properties: { value: s } });
    if (!jsonEqual(pruned['value'] ?? null, value)) errors.invalid(at, value, 'must not have unknown fields');
    const found = new FieldErrors();
    validateAgainstSchema(s, value, found, { field: at });
    errors.list.push(...found.list);
  }
  if (s.items !== undefined) walk(s.items, `${field}.items`, errors);
  for (const [name, property] of Object.entries(s.properties ?? {})) {
    if (s['x-kubernetes-embedded-resource'] === true && metaFields.has(name)) continue;
    walk(property, `${field}.properties[${name}]`, errors);
  }
}

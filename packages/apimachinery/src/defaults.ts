import type { Json, JsonObject } from './object.ts';
import type { FieldSchema, SchemaRegistry, TypeSchema } from './schema.ts';

type Apply = (value: Json) => void;

/** Nothing below has a default. */
const nothing: unique symbol = Symbol('nothing');

const isZero = (value: Json | undefined): boolean => value === undefined || value === '' || value === 0 || value === false;
const zeroOf = (field: FieldSchema): boolean => !field.pointer && isZero(field.default as Json);

/**
 * Applies the `+default` markers of Go types. Returns undefined for structs that have none anywhere below. A default stands in for
 * an absent value, and for a zero value of a field that is no pointer, as upstream's generated code has it.
 */
export function createDefaulterFactory(registry: SchemaRegistry): (structName: string) => Apply | undefined {
  const compiled = new Map<string, Apply | typeof nothing | 'in progress'>();

  function structDefaulter(name: string): Apply | undefined {
    const known = compiled.get(name);
    // A recursive type: found below itself, it adds nothing.
    if (known === nothing || known === 'in progress') return undefined;
    if (known !== undefined) return known;
    compiled.set(name, 'in progress');
    const steps: ((object: JsonObject) => void)[] = [];
    for (const field of registry.struct(name)?.fields ?? []) {
      if (field.default !== undefined && !zeroOf(field)) steps.push(defaultStep(field));
      const below = typeDefaulter(field.type);
      if (below === undefined) continue;
      steps.push((object) => {
        const value = object[field.name];
        if (value !== undefined && value !== null) below(value);
      });
    }
    const apply: Apply | undefined =
      steps.length === 0
        ? undefined
        : (value) => {
            for (const step of steps) step(value as JsonObject);
          };
    compiled.set(name, apply ?? nothing);
    return apply;
  }

  function defaultStep(field: FieldSchema): (object: JsonObject) => void {
    const value = field.default as Json;
    const copy = typeof value === 'object' ? () => structuredClone(value) : () => value;
    return (object) => {
      const current = object[field.name];
      if (current === undefined || current === null || (!field.pointer && isZero(current))) object[field.name] = copy();
    };
  }

  function typeDefaulter(type: TypeSchema): Apply | undefined {
    switch (type.kind) {
      case 'struct':
        return structDefaulter(type.name);
      case 'list': {
        const item = typeDefaulter(type.items);
        return item === undefined
          ? undefined
          : (value) => {
              for (const v of value as Json[]) if (v !== null) item(v);
            };
      }
      case 'map': {
        const item = typeDefaulter(type.values);
        return item === undefined
          ? undefined
          : (value) => {
              for (const v of Object.values(value as JsonObject)) if (v !== null && v !== undefined) item(v);
            };
      }
      default:
        return undefined;
    }
  }

  return structDefaulter;
}

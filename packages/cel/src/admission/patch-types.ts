import { type StructDefinition } from '../environment.ts';
import { dynType, type FieldType, type ObjectType, objectType, stringType } from '../types.ts';
import { CelList, CelMap, type Value } from '../values.ts';

/** An object that an expression made by its type's name: `Object.spec{replicas: 3}`. */
export class MadeObject extends CelMap {
  readonly name: string;
  readonly fields: ReadonlyMap<string, Value>;
  constructor(name: string, fields: ReadonlyMap<string, Value>) {
    super();
    this.name = name;
    this.fields = fields;
  }
  override get typeName(): string {
    return this.name;
  }
  get size(): number {
    return this.fields.size;
  }
  find(key: Value): Value | undefined {
    return typeof key === 'string' ? this.fields.get(key) : undefined;
  }
  keys(): readonly Value[] {
    return [...this.fields.keys()];
  }
}

/** Every name is a field; nothing is known of its type. */
class AnyField extends Map<string, FieldType> {
  override get(): FieldType {
    return { type: dynType };
  }
  override has(): boolean {
    return true;
  }
}
const anyField: ReadonlyMap<string, FieldType> = new AnyField();

const patchFields = new Map<string, FieldType>([
  ['op', { type: stringType }],
  ['path', { type: stringType }],
  ['from', { type: stringType }],
  ['value', { type: dynType }],
]);
/** One operation of a JSON patch: `JSONPatch{op: "add", path: "/spec/x", value: 1}`. */
export const jsonPatchType: ObjectType = { kind: 'object', name: 'JSONPatch', fields: patchFields };
/** What an apply configuration must come to. */
export const appliedObjectType: ObjectType = { kind: 'object', name: 'Object', fields: anyField };

const nameless = objectType('');

const definitionOf = (type: ObjectType): StructDefinition => ({
  type,
  // Upstream takes any name, and says of those that are none that their type has no name.
  fieldType: (name) => type.fields.get(name)?.type ?? nameless,
  create: (fields) => new MadeObject(type.name, fields),
});
const jsonPatch = definitionOf(jsonPatchType);

/** The types that only expressions of mutations know: `JSONPatch`, `Object` and, below it, `Object.spec` and the like. */
export function patchStructs(name: string): StructDefinition | undefined {
  if (name === 'JSONPatch') return jsonPatch;
  if (name !== 'Object' && !name.startsWith('Object.')) return undefined;
  return definitionOf({ kind: 'object', name, fields: anyField });
}

/** Objects whose type names are not where they stand: below `Object`, field `spec` holds an `Object.spec`. */
export function misnamedObjects(root: MadeObject): readonly string[] {
  const complaints: string[] = [];
  const walk = (value: Value, path: string): void => {
    if (value instanceof MadeObject) {
      if (value.name !== path) {
        complaints.push(
          `unexpected type name ${JSON.stringify(value.name)}, expected ${JSON.stringify(path)}, which matches field name path from root Object type`,
        );
      }
      for (const [name, field] of value.fields) walk(field, `${path}.${name}`);
    } else if (value instanceof CelList) for (const element of value.values()) walk(element, path);
    else if (value instanceof CelMap) for (const key of value.keys()) walk(value.find(key) ?? null, path);
  };
  walk(root, root.name);
  return complaints;
}

import type { FieldSchema, ScalarName, StructSchema } from './schema.ts';

/** What `application/vnd.kubernetes.protobuf` begins with; runtime.Unknown follows. */
export const protobufMagic: Buffer = Buffer.from('k8s\0', 'latin1');

/** Field numbers of a message; embedded structs are messages of their own, whose fields belong to the outer object. */
export interface MessageShape {
  readonly fields: Map<number, FieldSchema>;
  readonly embedded: Map<number, MessageShape>;
}
const shapes = new WeakMap<StructSchema, MessageShape>();

/** The message that Go's protobuf makes of a struct. Made once. */
export function messageShape(struct: StructSchema): MessageShape {
  let shape = shapes.get(struct);
  if (shape !== undefined) return shape;
  shape = { fields: new Map(), embedded: new Map() };
  for (const field of struct.fields) {
    // The type of an object stands in the envelope, not in its message.
    if (field.number === undefined || field.inlineNames?.[0] === 'TypeMeta') continue;
    let at = shape;
    for (const number of field.inline ?? []) {
      let inner = at.embedded.get(number);
      if (inner === undefined) {
        inner = { fields: new Map(), embedded: new Map() };
        at.embedded.set(number, inner);
      }
      at = inner;
    }
    at.fields.set(field.number, field);
  }
  shapes.set(struct, shape);
  return shape;
}

/** Named slices that are messages with one repeated field. */
export const wrappedLists: ReadonlySet<string> = new Set(['v1.ExtraValue', 'v1.Verbs']);

export const isVarint = (scalar: ScalarName): boolean => scalar === 'int32' || scalar === 'int64' || scalar === 'boolean';

/**
 * The structure of API types as data. Built-in types come generated (packages/api/src/generated), custom ones are made at run
 * time from a CustomResourceDefinition; everything that walks objects (decode, default, encode, strategic merge, apply, OpenAPI)
 * walks this.
 */

/** Go's special scalars keep their names; `int-or-string`, `raw` (RawExtension, JSON) and `fieldsV1` hold free JSON. */
export type ScalarName =
  | 'string'
  | 'boolean'
  | 'int32'
  | 'int64'
  | 'float64'
  | 'bytes'
  | 'time'
  | 'microTime'
  | 'duration'
  | 'quantity'
  | 'intOrString'
  | 'raw'
  | 'fieldsV1';

export type TypeSchema =
  | {
      readonly kind: 'scalar';
      readonly scalar: ScalarName /** Go's named type, for decode errors; enum values */;
      readonly goType?: string;
      readonly enum?: readonly string[];
    }
  | { readonly kind: 'struct' /** e.g. `io.k8s.api.core.v1.PodSpec`: looked up in the registry */; readonly name: string }
  | {
      readonly kind: 'list';
      readonly items: TypeSchema;
      readonly listType?: 'atomic' | 'set' | 'map';
      readonly mapKeys?: readonly string[];
      /** Go's own name of the slice type (`ContainerList`), where it has one. */
      readonly goType?: string;
    }
  | { readonly kind: 'map'; readonly values: TypeSchema; readonly mapType?: 'atomic' | 'granular'; readonly goType?: string };

export interface FieldSchema {
  /** The JSON name. */
  readonly name: string;
  readonly goName: string;
  readonly type: TypeSchema;
  readonly required: boolean;
  /** When Go leaves the field out: never; when empty (omitempty); when zero (omitzero). */
  readonly omit: 'never' | 'empty' | 'zero';
  /** A Go pointer: absent and zero value are different. */
  readonly pointer: boolean;
  /** `+default=` marker, as JSON. */
  readonly default?: unknown;
  readonly patchStrategy?: readonly ('merge' | 'replace' | 'retainKeys')[];
  readonly patchMergeKey?: string;
  /** Protobuf field number. */
  readonly number?: number;
}

export interface StructSchema {
  readonly name: string;
  readonly goName: string;
  /** e.g. `k8s.io/api/core/v1`. */
  readonly goPackage: string;
  /** In Go's struct order; embedded structs are already inlined. */
  readonly fields: readonly FieldSchema[];
  readonly structType?: 'atomic' | 'granular';
  /** Present on top-level kinds. */
  readonly groupVersionKind?: { readonly group: string; readonly version: string; readonly kind: string };
}

/** All struct types by full name. Lookups are O(1); `field` is memoised by the implementation. */
export interface SchemaRegistry {
  struct(name: string): StructSchema | undefined;
  field(struct: StructSchema, jsonName: string): FieldSchema | undefined;
  names(): Iterable<string>;
}

/**
 * The structure of API types as data. Built-in types come generated (packages/api/src/generated), custom ones are made at run
 * time from a CustomResourceDefinition; everything that walks objects (decode, default, encode, strategic merge, apply, OpenAPI)
 * walks this.
 */

/**
 * Go's special scalars keep their names. `raw` (RawExtension), `json` (apiextensions' JSON, Go's `interface{}`) and `fieldsV1` hold
 * free JSON. int64 values above 2^53 are bigints in memory, whatever the TypeScript type of the field says.
 */
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
  | 'json'
  | 'fieldsV1';

export type TypeSchema =
  | {
      readonly kind: 'scalar';
      readonly scalar: ScalarName;
      /** Go's named type, for decode errors. */
      readonly goType?: string;
      readonly enum?: readonly string[];
    }
  /** `name` is looked up in the registry, e.g. `io.k8s.api.core.v1.PodSpec`. */
  | { readonly kind: 'struct'; readonly name: string }
  /** A nested schema of a CustomResourceDefinition, or instead a list of them, a boolean, or a list of names. */
  | { readonly kind: 'schemaOr'; readonly or: 'Array' | 'Bool' | 'StringArray'; readonly name: string }
  | {
      readonly kind: 'list';
      readonly items: TypeSchema;
      readonly listType?: 'atomic' | 'set' | 'map';
      readonly mapKeys?: readonly string[];
      /** Go's own name of the slice type (`v1.ExtraValue`), where it has one. */
      readonly goType?: string;
    }
  | {
      readonly kind: 'map';
      readonly values: TypeSchema;
      readonly mapType?: 'atomic' | 'granular';
      /** Go's named map type, or `[v1.KeyType]` where only the key type has a name. */
      readonly goType?: string;
    };

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
  /** For struct-typed fields: `atomic` overrides the struct's own `structType`. */
  readonly structType?: 'atomic' | 'granular';
  /** Protobuf field number; absent where Go's protobuf does not carry the field. */
  readonly number?: number;
  /** Protobuf field numbers of the embedded messages that this field is flattened out of, outermost first. */
  readonly inline?: readonly number[];
  /** Go names of the embedded structs that this field is flattened out of, outermost first: decode errors name them. */
  readonly inlineNames?: readonly string[];
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

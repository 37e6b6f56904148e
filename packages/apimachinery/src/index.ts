export {
  type Applied,
  type ApplyOptions,
  createFieldManager,
  type FieldManager,
  type FieldManagerConfig,
  mergeTypeOf,
  type OtherVersion,
} from './apply/field-manager.ts';
export type { MergeMap, MergeType } from './apply/merge-type.ts';
export { mergeConfiguration, NotMergeableError } from './apply/merge-configuration.ts';
export * from './codec.ts';
export * from './duration.ts';
export * from './field-error.ts';
export * from './field-selector.ts';
export * from './int-or-string.ts';
export * from './json.ts';
export { JsonSyntaxError, maxJsonDepth } from './json-exact.ts';
export * from './label-selector.ts';
export { lookupTable } from './lookup-table.ts';
export * from './object.ts';
export { applyJsonPatch, jsonEqual, JsonPatchError, type JsonPatchOperation, JsonPatchTestFailed } from './json-patch.ts';
export * from './merge-patch.ts';
export * from './patch.ts';
export * from './quantity.ts';
export * from './resource-definition.ts';
export * from './schema.ts';
export * from './schema-registry.ts';
export * from './status-error.ts';
export { createStructuralCodec, type CustomObject, type StructuralCodec } from './structural/codec.ts';
export { stringFormat } from './structural/formats.ts';
export { patternError } from './structural/validate.ts';
export { goValueText } from './go-value-text.ts';
export { stringFormatOf } from './structural/formats.ts';
export { pruneUnknown } from './structural/prune.ts';
export type { SchemaRule, StructuralSchema } from './structural/schema.ts';
export { validateAgainstSchema } from './structural/validate.ts';
export { applyStrategicMergePatch } from './strategic-merge-patch.ts';
export * from './time.ts';
export * from './yaml.ts';
export * from './ip-validation.ts';
export * from './label-selector-validation.ts';
export * from './name-validation.ts';
export * from './object-meta-validation.ts';
export * from './protobuf-decode.ts';
export * from './protobuf-encode.ts';
export { ProtobufWriter } from './protobuf-writer.ts';

import type { ResourceDefinition, SchemaRegistry } from '@skiff/apimachinery';
import { createResourceCodec, type ResourceCodec } from './resource-codec.ts';

export const idOf = (d: { group: string; version: string; plural: string }): string => `${d.group}/${d.version}/${d.plural}`;

/** The codec of a definition among others, one of which may be what its objects are stored as. */
export const codecOf = (schema: SchemaRegistry, definitions: readonly ResourceDefinition[], d: ResourceDefinition): ResourceCodec =>
  createResourceCodec(schema, d, storageDefinition(definitions, d));

function storageDefinition(definitions: readonly ResourceDefinition[], d: ResourceDefinition): ResourceDefinition {
  if (d.custom !== undefined) return d.custom.storage ?? d;
  const { storageVersion } = d;
  if (storageVersion === undefined || (storageVersion.group === d.group && storageVersion.version === d.version)) return d;
  const found = definitions.find(
    (o) => o.group === storageVersion.group && o.version === storageVersion.version && o.storagePrefix === d.storagePrefix,
  );
  // Stored by an older upstream version whose structure is the same: only apiVersion differs, and this server keeps its own.
  return found ?? d;
}

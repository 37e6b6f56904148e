import { fileURLToPath } from 'node:url';
import { loadSync, type PackageDefinition } from '@grpc/proto-loader';
import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';

export interface CriDefinition {
  readonly RuntimeService: ServiceDefinition;
  readonly ImageService: ServiceDefinition;
}
export type CriService = keyof CriDefinition;
export type CriMethod = MethodDefinition<object, object>;

const protoPath = fileURLToPath(new URL('../../../../proto/runtime/v1/api.proto', import.meta.url));
let loaded: CriDefinition | undefined;

/**
 * The CRI's services from `proto/`, read once a process (about 50 ms). Names in camelCase; 64-bit integers as numbers (times of
 * day in nanoseconds lose what is below a microsecond, which nobody reads); enums by name; absent scalars as zero values.
 */
export function loadCriDefinition(): CriDefinition {
  if (loaded !== undefined) return loaded;
  const all: PackageDefinition = loadSync(protoPath, { keepCase: false, longs: Number, enums: String, defaults: true, oneofs: true });
  const service = (name: CriService): ServiceDefinition => all[`runtime.v1.${name}`] as ServiceDefinition;
  loaded = { RuntimeService: service('RuntimeService'), ImageService: service('ImageService') };
  return loaded;
}

import { fileURLToPath } from 'node:url';
import type { ServiceDefinition } from '@grpc/grpc-js';

const protoPath = (file: string): string => fileURLToPath(new URL(`../../../../proto/${file}`, import.meta.url));

export interface PluginServices {
  readonly registration: ServiceDefinition;
  readonly node: ServiceDefinition;
}
let loading: Promise<PluginServices> | undefined;

/** The services of plugins from `proto/`, read when the first plugin comes. Names in camelCase, enums by name, 64-bit integers as numbers. */
export function loadPluginServices(): Promise<PluginServices> {
  loading ??= (async () => {
    const { loadSync } = await import('@grpc/proto-loader');
    const options = { keepCase: false, longs: Number, enums: String, defaults: true, oneofs: true } as const;
    const registration = loadSync(protoPath('pluginregistration/v1/registration.proto'), options);
    const csi = loadSync(protoPath('csi/v1/csi.proto'), options);
    return {
      registration: registration['pluginregistration.Registration'] as ServiceDefinition,
      node: csi['csi.v1.Node'] as ServiceDefinition,
    };
  })();
  return loading;
}

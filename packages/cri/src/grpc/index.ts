export { type CniPlaces, defaultCniPlaces } from './cni-plugin.ts';
export { createCniNetwork, type SandboxNetwork } from './serve-network.ts';
export { createRemoteRuntime, type RemoteRuntime, type RemoteRuntimeConfig } from './remote-runtime.ts';
export { type ServeRuntimeConfig, serveRuntime } from './serve-runtime.ts';

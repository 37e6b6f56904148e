export { createRemoteRuntime, type RemoteRuntime, type RemoteRuntimeConfig } from './remote-runtime.ts';
export { type ServeRuntimeConfig, serveRuntime } from './serve-runtime.ts';

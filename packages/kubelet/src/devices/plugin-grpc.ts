import net from 'node:net';
import { fileURLToPath } from 'node:url';
import {
  Client,
  Metadata,
  type MethodDefinition,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  status,
  credentials,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import type { DeviceGrant, PluginClient, PluginDevice, Registration } from './plugin-messages.ts';

// Bundled or not, main and this file lie equally deep.
const protoPath = fileURLToPath(new URL('../../../../proto/deviceplugin/v1beta1/api.proto', import.meta.url));
let loaded: { plugin: ServiceDefinition; registration: ServiceDefinition } | undefined;

function definitions(): { plugin: ServiceDefinition; registration: ServiceDefinition } {
  if (loaded !== undefined) return loaded;
  const all = loadSync(protoPath, { keepCase: false, defaults: true, longs: Number });
  loaded = { plugin: all['v1beta1.DevicePlugin'] as ServiceDefinition, registration: all['v1beta1.Registration'] as ServiceDefinition };
  return loaded;
}

const callMs = 10_000;
/** Upstream's time for a plugin to reset a device. */
const preStartMs = 30_000;

/** A client of the plugin behind a socket. No I/O before the first call. */
export function createPluginClient(socketPath: string): PluginClient {
  const { plugin } = definitions();
  const client = new Client(`unix://${socketPath}`, credentials.createInsecure(), { 'grpc.default_authority': 'localhost' });
  const call = <R>(name: string, request: object, timeoutMs: number): Promise<R> =>
    new Promise((resolve, reject) => {
      const m = plugin[name] as MethodDefinition<object, object>;
      client.makeUnaryRequest(
        m.path,
        m.requestSerialize,
        m.responseDeserialize,
        request,
        new Metadata(),
        { deadline: Date.now() + timeoutMs },
        (error, answer) =>
          error === null ? resolve(answer as R) : reject(new Error(`rpc error: code = ${status[error.code]} desc = ${error.details}`)),
      );
    });
  return {
    listAndWatch: async function* (signal) {
      const m = plugin['ListAndWatch'] as MethodDefinition<object, object>;
      const stream = client.makeServerStreamRequest(m.path, m.requestSerialize, m.responseDeserialize, {});
      const stop = (): void => stream.cancel();
      signal.addEventListener('abort', stop, { once: true });
      try {
        for await (const message of stream) yield (message as { devices: readonly PluginDevice[] }).devices;
      } finally {
        signal.removeEventListener('abort', stop);
        stream.cancel();
      }
    },
    allocate: async (ids) => {
      const answer = await call<{ containerResponses: readonly DeviceGrant[] }>(
        'Allocate',
        { containerRequests: [{ devicesIds: ids }] },
        callMs,
      );
      const [grant] = answer.containerResponses;
      if (grant === undefined) throw new Error('the device plugin answered Allocate for no container');
      return grant;
    },
    preferred: async ({ available, mustInclude, size }) => {
      const request = { containerRequests: [{ availableDeviceIDs: available, mustIncludeDeviceIDs: mustInclude, allocationSize: size }] };
      const answer = await call<{ containerResponses: readonly { deviceIDs: readonly string[] }[] }>(
        'GetPreferredAllocation',
        request,
        callMs,
      );
      return answer.containerResponses[0]?.deviceIDs ?? [];
    },
    preStart: async (ids) => {
      await call('PreStartContainer', { devicesIds: ids }, preStartMs);
    },
    close: () => client.close(),
  };
}

/** A gRPC server for connections that come one by one. `register` throws with why a plugin is refused. */
export function createRegistrationServer(register: (r: Registration) => void): { accept(socket: net.Socket): void; close(): void } {
  const server = new Server();
  server.addService(definitions().registration, {
    Register: (call: { request: Registration }, answer: (error: { code: number; details: string } | null, value?: object) => void) => {
      try {
        register(call.request);
        answer(null, {});
      } catch (error) {
        answer({ code: status.UNKNOWN, details: (error as Error).message });
      }
    },
  });
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  return { accept: (socket) => injector.injectConnection(socket), close: () => server.forceShutdown() };
}

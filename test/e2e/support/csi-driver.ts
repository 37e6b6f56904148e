import { mkdirSync, rmSync } from 'node:fs';
import { mkdir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { loadSync } from '@grpc/proto-loader';
import { Server, ServerCredentials, status, type sendUnaryData, type ServerUnaryCall, type ServiceDefinition } from '@grpc/grpc-js';
import { command, repositoryRoot } from './cluster.ts';

type Request = Readonly<Record<string, unknown>>;
type Call = ServerUnaryCall<Request, object>;

export interface CsiDriver extends AsyncDisposable {
  readonly name: string;
  /** Where its volumes lie, by handle. */
  readonly volumes: string;
  /** Calls of the Node service so far, as `method volume`. */
  readonly calls: readonly string[];
  /** The last request of a method. */
  last(method: string): Request;
  /** Makes a method fail from now on, or work again. */
  fail(method: string, message: string | undefined): void;
  sizeOf(handle: string): number | undefined;
}

const load = (file: string, service: string): ServiceDefinition =>
  loadSync(join(repositoryRoot, 'proto', file), { keepCase: false, longs: Number, enums: String, defaults: true, oneofs: true })[
    service
  ] as ServiceDefinition;

async function run(program: string, ...args: readonly string[]): Promise<void> {
  const done = await command(program, args);
  if (done.code !== 0) throw new Error(`${program} ${args.join(' ')}: ${done.stderr}`);
}

/** A CSI driver whose volumes are directories: the node's side, and its own registration, as the sidecar node-driver-registrar does it. */
export async function startCsiDriver(o: {
  name: string;
  kubeletDirectory: string;
  maxVolumes?: number;
  zone?: string;
}): Promise<CsiDriver> {
  const directory = join(o.kubeletDirectory, 'plugins', o.name);
  const volumes = join(directory, 'volumes');
  mkdirSync(volumes, { recursive: true });
  const calls: string[] = [];
  const requests = new Map<string, Request>();
  const failures = new Map<string, string>();
  const sizes = new Map<string, number>();
  const text = (r: Request, key: string): string => String(r[key] ?? '');

  const methods: Readonly<Record<string, (r: Request) => Promise<object>>> = {
    NodeGetInfo: async () => ({
      nodeId: 'the-node',
      maxVolumesPerNode: o.maxVolumes ?? 0,
      accessibleTopology: o.zone === undefined ? null : { segments: { [`topology.${o.name}/zone`]: o.zone } },
    }),
    NodeGetCapabilities: async () => ({
      capabilities: ['STAGE_UNSTAGE_VOLUME', 'EXPAND_VOLUME', 'GET_VOLUME_STATS'].map((type) => ({ rpc: { type } })),
    }),
    NodeStageVolume: async (r) => {
      const source = join(volumes, text(r, 'volumeId'));
      await mkdir(source, { recursive: true });
      await run('mount', '--bind', source, text(r, 'stagingTargetPath'));
      return {};
    },
    NodeUnstageVolume: async (r) => {
      await run('umount', text(r, 'stagingTargetPath'));
      return {};
    },
    NodePublishVolume: async (r) => {
      const staged = text(r, 'stagingTargetPath');
      // A volume without staging is made on the spot.
      const source = staged === '' ? join(volumes, text(r, 'volumeId')) : staged;
      await mkdir(source, { recursive: true });
      await mkdir(text(r, 'targetPath'), { recursive: true });
      await run('mount', '--bind', source, text(r, 'targetPath'));
      if (r['readonly'] === true) await run('mount', '-o', 'remount,bind,ro', text(r, 'targetPath'));
      return {};
    },
    NodeUnpublishVolume: async (r) => {
      // What is gone already is fine.
      await run('umount', text(r, 'targetPath')).catch(() => undefined);
      await rmdir(text(r, 'targetPath')).catch(() => undefined);
      return {};
    },
    NodeExpandVolume: async (r) => {
      const { requiredBytes } = r['capacityRange'] as { requiredBytes: number };
      sizes.set(text(r, 'volumeId'), requiredBytes);
      return { capacityBytes: requiredBytes };
    },
    NodeGetVolumeStats: async () => ({ usage: [{ available: 70, total: 100, used: 30, unit: 'BYTES' }] }),
  };
  const server = new Server();
  server.addService(
    load('csi/v1/csi.proto', 'csi.v1.Node'),
    Object.fromEntries(
      Object.entries(methods).map(([method, work]) => [
        method,
        (call: Call, answer: sendUnaryData<object>) => {
          calls.push(`${method} ${text(call.request, 'volumeId')}`.trim());
          requests.set(method, call.request);
          const failure = failures.get(method);
          const outcome = failure === undefined ? work(call.request) : Promise.reject(new Error(failure));
          outcome.then(
            (value) => answer(null, value),
            (error: Error) => answer({ code: status.INTERNAL, details: error.message }),
          );
        },
      ]),
    ),
  );
  const listen = (s: Server, path: string): Promise<void> =>
    new Promise((resolve, reject) => {
      rmSync(path, { force: true });
      s.bindAsync(`unix:${path}`, ServerCredentials.createInsecure(), (error) => (error === null ? resolve() : reject(error)));
    });
  const endpoint = join(directory, 'csi.sock');
  await listen(server, endpoint);
  const registrar = new Server();
  let told: (error: string) => void = () => undefined;
  const registered = new Promise<void>((resolve, reject) => {
    told = (error) => (error === '' ? resolve() : reject(new Error(error)));
  });
  registrar.addService(load('pluginregistration/v1/registration.proto', 'pluginregistration.Registration'), {
    GetInfo: (_: Call, answer: sendUnaryData<object>) =>
      answer(null, { type: 'CSIPlugin', name: o.name, endpoint, supportedVersions: ['1.0.0'] }),
    NotifyRegistrationStatus: (call: Call, answer: sendUnaryData<object>) => {
      told(call.request['pluginRegistered'] === true ? '' : text(call.request, 'error'));
      answer(null, {});
    },
  });
  const socket = join(o.kubeletDirectory, 'plugins_registry', `${o.name}-reg.sock`);
  await listen(registrar, socket);
  await registered;
  return {
    name: o.name,
    volumes,
    calls,
    last: (method) => requests.get(method) ?? {},
    fail: (method, message) => (message === undefined ? void failures.delete(method) : void failures.set(method, message)),
    sizeOf: (handle) => sizes.get(handle),
    [Symbol.asyncDispose]: async () => {
      rmSync(socket, { force: true });
      registrar.forceShutdown();
      server.forceShutdown();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

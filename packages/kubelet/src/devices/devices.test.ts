import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Server, ServerCredentials, type ServiceDefinition, Client, credentials, Metadata, type MethodDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import type { Container } from '@skiff/api';
import { silentLogger, systemClock } from '@skiff/component-base';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { fakePod, snapshot } from '../pod/pod-context.fixture.ts';
import { createDeviceManager, type DeviceManager } from './device-manager.ts';
import { createPluginClient } from './plugin-grpc.ts';
import { serveRegistration } from './registration-socket.ts';

const resource = 'example.com/gpu';
const definitions = loadSync(new URL('../../../../proto/deviceplugin/v1beta1/api.proto', import.meta.url).pathname, { keepCase: false });
const container = (name: string, count: number, over: Partial<Container> = {}): Container => ({
  name,
  image: 'fake:1',
  resources: { limits: { [resource]: String(count) }, requests: { [resource]: String(count) } },
  ...over,
});
const pod = (uid: string, containers: Container[], initContainers: Container[] = []) =>
  snapshot(fakePod({ containers, initContainers }, { name: uid, uid }));

/** A device plugin as vendors write them: a process of its own with a socket. */
async function startPlugin(dir: string) {
  const calls: string[] = [];
  let send: (devices: { ID: string; health: string }[]) => void = () => undefined;
  let devices = ['a', 'b', 'c', 'd'].map((ID) => ({ ID, health: 'Healthy' }));
  const server = new Server();
  type Answer = (error: null, value: object) => void;
  server.addService(definitions['v1beta1.DevicePlugin'] as ServiceDefinition, {
    GetDevicePluginOptions: (_c: unknown, answer: Answer) => answer(null, {}),
    ListAndWatch: (call: { write(m: object): void }) => {
      send = (next) => {
        devices = next;
        call.write({ devices });
      };
      send(devices);
    },
    GetPreferredAllocation: (
      c: { request: { containerRequests: { availableDeviceIDs: string[]; allocationSize: number }[] } },
      answer: Answer,
    ) => {
      const r = c.request.containerRequests[0];
      answer(null, {
        containerResponses: [{ deviceIDs: [...(r?.availableDeviceIDs ?? [])].sort().reverse().slice(0, r?.allocationSize) }],
      });
    },
    Allocate: (c: { request: { containerRequests: { devicesIds: string[] }[] } }, answer: Answer) => {
      const ids = c.request.containerRequests[0]?.devicesIds ?? [];
      calls.push(`allocate ${ids.join(',')}`);
      answer(null, {
        containerResponses: [
          { envs: { GPUS: ids.join(',') }, devices: [{ hostPath: '/dev/null', containerPath: '/dev/gpu', permissions: 'rw' }] },
        ],
      });
    },
    PreStartContainer: (c: { request: { devicesIds: string[] } }, answer: Answer) => {
      calls.push(`preStart ${c.request.devicesIds.join(',')}`);
      answer(null, {});
    },
  });
  await new Promise<void>((resolve, reject) =>
    server.bindAsync(`unix://${path.join(dir, 'gpu.sock')}`, ServerCredentials.createInsecure(), (e) =>
      e === null ? resolve() : reject(e),
    ),
  );
  const register = (over: object = {}): Promise<void> => {
    const client = new Client(`unix://${path.join(dir, 'kubelet.sock')}`, credentials.createInsecure(), {
      'grpc.default_authority': 'localhost',
    });
    const m = (definitions['v1beta1.Registration'] as ServiceDefinition)['Register'] as MethodDefinition<object, object>;
    const request = {
      version: 'v1beta1',
      endpoint: 'gpu.sock',
      resourceName: resource,
      options: { preStartRequired: true, getPreferredAllocationAvailable: true },
      ...over,
    };
    return new Promise((resolve, reject) =>
      client.makeUnaryRequest(m.path, m.requestSerialize, m.responseDeserialize, request, new Metadata(), {}, (e) => {
        client.close();
        if (e === null) resolve();
        else reject(new Error(e.details));
      }),
    );
  };
  return { calls, register, send: (next: { ID: string; health: string }[]) => send(next), stop: () => server.forceShutdown() };
}

describe('device plugins', () => {
  let dir = '';
  let stop = new AbortController();
  let manager: DeviceManager;
  let running: Promise<unknown>;
  let plugin: Awaited<ReturnType<typeof startPlugin>>;
  let touched: string[] = [];
  const start = async (): Promise<void> => {
    stop = new AbortController();
    manager = createDeviceManager(
      { directory: dir, stateDirectory: dir },
      {
        connect: async (socket) => createPluginClient(socket),
        onChange: (uids) => touched.push(...uids),
        clock: systemClock,
        log: silentLogger,
      },
    );
    await manager.load();
    running = Promise.all([
      manager.run(stop.signal),
      serveRegistration(dir, { register: manager.register, log: silentLogger }, stop.signal),
    ]);
    running.catch(() => undefined);
    plugin = await startPluginWhenServed();
  };
  const startPluginWhenServed = async (): Promise<Awaited<ReturnType<typeof startPlugin>>> => {
    await vi.waitFor(() => expect(existsSync(path.join(dir, 'kubelet.sock'))).toBe(true), 20_000);
    const p = await startPlugin(dir);
    await vi.waitFor(() => p.register(), 20_000);
    await vi.waitFor(() => expect(manager.counts().get(resource)?.capacity).toBe(4), 20_000);
    return p;
  };
  const end = async (): Promise<void> => {
    plugin.stop();
    stop.abort(new Error('the test is over'));
    await running;
  };
  beforeEach(async () => {
    dir = mkdtempSync(path.join(tmpdir(), 'devices-'));
    await start();
  });
  afterEach(async () => {
    await end();
    rmSync(dir, { recursive: true, force: true });
  });

  it('register, tell what they have, and give it to containers', async () => {
    expect(manager.counts().get(resource)).toEqual({ capacity: 4, allocatable: 4 });
    const p = pod('p', [container('c', 2)]);
    expect(manager.admit(p)).toBeUndefined();
    const [grant] = await manager.prepare(p, container('c', 2));
    // The plugin likes the last ones best.
    expect(grant?.envs).toEqual({ GPUS: 'd,c' });
    expect(grant?.devices).toEqual([{ hostPath: '/dev/null', containerPath: '/dev/gpu', permissions: 'rw' }]);
    await manager.prepare(p, container('c', 2));
    expect(plugin.calls.filter((c) => c.startsWith('allocate'))).toHaveLength(1);
    expect(plugin.calls.filter((c) => c.startsWith('preStart'))).toEqual(['preStart d,c', 'preStart d,c']);

    expect(manager.admit(pod('q', [container('c', 3)]))).toEqual({
      reason: 'UnexpectedAdmissionError',
      message:
        'Allocate failed due to requested number of devices unavailable for example.com/gpu. Requested: 3, Available: 2, which is unexpected',
    });
    manager.release('p');
    expect(manager.admit(pod('q', [container('c', 3)]))).toBeUndefined();
  });

  it('tell how they are, and whom it concerns when that changes', async () => {
    manager.admit(pod('p', [container('c', 1)]));
    manager.admit(pod('q', [container('c', 1)]));
    expect(manager.health('p', 'c')).toEqual([{ name: resource, resources: [{ resourceID: 'a', health: 'Healthy' }] }]);
    touched = [];
    plugin.send([{ ID: 'a', health: 'Unhealthy' }, ...['b', 'c', 'd'].map((ID) => ({ ID, health: 'Healthy' }))]);
    await vi.waitFor(() => expect(touched).toEqual(['p']), 20_000);
    expect(manager.health('p', 'c')[0]?.resources?.[0]).toEqual({ resourceID: 'a', health: 'Unhealthy' });
    expect(manager.health('q', 'c')[0]?.resources?.[0]?.health).toBe('Healthy');
  });

  it('are shared with init containers that are over, and not with sidecars', () => {
    const sidecar = container('s', 1, { restartPolicy: 'Always' });
    expect(manager.admit(pod('p', [container('c', 3)], [sidecar, container('i', 3)]))).toBeUndefined();
    expect(manager.admit(pod('q', [container('c', 1)]))).toBeDefined();
  });

  it('keep what they gave over a restart of the kubelet', async () => {
    const p = pod('p', [container('c', 3)]);
    manager.admit(p);
    await manager.prepare(p, container('c', 3));
    await end();
    await start();
    expect(manager.admit(pod('q', [container('c', 2)]))).toBeDefined();
    const [grant] = await manager.prepare(p, container('c', 3));
    expect(grant?.envs['GPUS']).toBe('d,c,b');
    expect(plugin.calls).toEqual([expect.stringMatching(/^preStart /)]);
  });

  it('are not forgotten before their plugin comes back after a restart', async () => {
    const file = path.join(dir, 'kubelet_internal_checkpoint');
    await vi.waitFor(() => expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ resources: [resource], allocations: [] }), 20_000);
    const restarted = async (): Promise<DeviceManager> => {
      const later = createDeviceManager(
        { directory: dir, stateDirectory: dir },
        {
          connect: async (socket) => createPluginClient(socket),
          onChange: () => undefined,
          clock: systemClock,
          log: silentLogger,
        },
      );
      await later.load();
      return later;
    };
    const later = await restarted();
    expect(later.counts().get(resource)).toEqual({ capacity: 0, allocatable: 0 });
    expect(later.admit(pod('p', [container('c', 1)]))?.reason).toBe('UnexpectedAdmissionError');
    // As former versions wrote it.
    writeFileSync(file, JSON.stringify([{ podUid: 'p', container: 'c', resource, ids: ['a'] }]));
    const upgraded = await restarted();
    expect(upgraded.admit(pod('p', [container('c', 1)]))).toBeUndefined();
    expect(upgraded.admit(pod('q', [container('c', 1)]))?.reason).toBe('UnexpectedAdmissionError');
  });

  it.each(['{}', '[1]', '{"resources":[],"allocations":{}}', '{"allocations":[]}', '[{"podUid":"p"}]'])(
    'don’t keep the node from starting when what was recorded is damaged: %s',
    async (text) => {
      const folder = mkdtempSync(path.join(tmpdir(), 'devices-'));
      const file = path.join(folder, 'kubelet_internal_checkpoint');
      writeFileSync(file, text);
      const made = createDeviceManager(
        { directory: folder, stateDirectory: folder },
        { connect: async () => Promise.reject(new Error('no plugin')), onChange: () => undefined, clock: systemClock, log: silentLogger },
      );
      await made.load();
      expect(made.admit(pod('p', [container('c', 1)]))).toBeUndefined();
      made.release('p');
      expect(readFileSync(`${file}.broken`, 'utf8')).toBe(text);
      rmSync(folder, { recursive: true });
    },
  );

  it('say what is ill, and are missed when they go', async () => {
    plugin.send([
      { ID: 'a', health: 'Healthy' },
      { ID: 'b', health: 'Unhealthy' },
    ]);
    await vi.waitFor(() => expect(manager.counts().get(resource)).toEqual({ capacity: 2, allocatable: 1 }), 20_000);
    plugin.stop();
    await vi.waitFor(() => expect(manager.counts().get(resource)).toEqual({ capacity: 2, allocatable: 0 }), 20_000);
  });

  it.each([
    [{ version: 'v1alpha' }, 'requested API version "v1alpha" is not supported by kubelet'],
    [{ resourceName: 'cpu' }, 'the ResourceName "cpu" is invalid'],
    [{ endpoint: '../../etc/x.sock' }, 'is not a name in'],
  ])('are refused: %j', async (over, message) => {
    await expect(plugin.register(over)).rejects.toThrow(message);
  });
});

import path from 'node:path';
import { isExtendedResource, type ResourceStatus } from '@skiff/api';
import { quantityValue } from '@skiff/apimachinery';
import { childSignal, type Clock, type Logger } from '@skiff/component-base';
import { readStateFile, writeStateFile } from '../host/state-file.ts';
import { type ContainerSpec, initContainersOf, isSidecar, type PodSnapshot } from '../pod/pod-snapshot.ts';
import { type Allocation, DeviceStore } from './device-store.ts';
import type { DeviceGrant, PluginClient, PluginOptions, Registration } from './plugin-messages.ts';

/** Upstream's: how long the devices of a plugin that went away are still told of. */
const goneMs = 300_000;
const checkpointFile = 'kubelet_internal_checkpoint';
const apiVersion = 'v1beta1';

export interface DeviceManager {
  /** Reads who has what. To be called before pods are admitted. */
  load(): Promise<void>;
  /** A plugin wants to serve a resource. Throws with why it may not. */
  register(r: Registration): void;
  /** For the Node's status. A resource whose plugin is gone for good is told of with 0. */
  counts(): ReadonlyMap<string, { readonly capacity: number; readonly allocatable: number }>;
  /** Picks devices for all containers of a pod; undefined: done, or none are asked for. */
  admit(pod: PodSnapshot): { readonly reason: string; readonly message: string } | undefined;
  /** What the container's devices bring with them, when it is about to be made. Throws when a plugin refuses. */
  prepare(pod: PodSnapshot, c: ContainerSpec): Promise<readonly DeviceGrant[]>;
  release(podUid: string): void;
  /** For the container's status. */
  health(podUid: string, container: string): ResourceStatus[];
  /** Ends when `signal` aborts; until then plugins are followed. */
  run(signal: AbortSignal): Promise<void>;
}

/** What outlives a restart. */
interface Checkpoint {
  readonly resources: readonly string[];
  readonly allocations: readonly Allocation[];
}

const isAllocation = (a: unknown): boolean => {
  const { podUid, container, resource, ids } = (a ?? {}) as Partial<Allocation>;
  return [podUid, container, resource].every((text) => typeof text === 'string') && Array.isArray(ids);
};
function isCheckpoint(value: object): boolean {
  if (Array.isArray(value)) return value.every(isAllocation);
  const { resources, allocations } = value as Partial<Checkpoint>;
  return Array.isArray(resources) && Array.isArray(allocations) && allocations.every(isAllocation);
}

interface Plugin {
  readonly client: PluginClient;
  readonly options: PluginOptions;
}

const requestsOf = (c: ContainerSpec, isKnown: (resource: string) => boolean): readonly (readonly [string, number])[] =>
  Object.entries(c.resources?.limits ?? {}).flatMap(([name, text]) =>
    isExtendedResource(name) && isKnown(name) ? [[name, quantityValue(text)]] : [],
  );

export function createDeviceManager(
  config: { readonly directory: string; readonly stateDirectory: string },
  deps: {
    readonly connect: (socketPath: string) => Promise<PluginClient>;
    /** The node's counts may be others; `podUids`: those with a device whose health is another. */
    readonly onChange: (podUids: readonly string[]) => void;
    readonly clock: Clock;
    readonly log: Logger;
  },
): DeviceManager {
  const { clock, log } = deps;
  const file = path.join(config.stateDirectory, checkpointFile);
  let store = new DeviceStore();
  const plugins = new Map<string, Plugin>();
  const gone = new Map<string, Disposable>();
  let root: AbortSignal | undefined;
  const following = new Set<Promise<void>>();
  let saving: Promise<void> = Promise.resolve();

  const save = (): Promise<void> => {
    saving = saving
      .then(() => writeStateFile(file, { resources: store.resources, allocations: store.allocations }))
      .catch((error: unknown) => log.error({ err: error }, 'who has which device could not be recorded'));
    return saving;
  };
  const lost = (resource: string, plugin: Plugin): void => {
    if (plugins.get(resource) !== plugin) return;
    plugins.delete(resource);
    const before = store.devicesOf(resource);
    store.markUnhealthy(resource);
    log.warn({ resource }, 'the device plugin went away');
    gone.set(
      resource,
      clock.after(goneMs, () => {
        store.setDevices(resource, new Map());
        deps.onChange([]);
      }),
    );
    deps.onChange(store.usersOfChanged(resource, before));
  };
  const follow = async (resource: string, plugin: Plugin, signal: AbortSignal): Promise<void> => {
    try {
      for await (const devices of plugin.client.listAndWatch(signal)) {
        if (plugins.get(resource) !== plugin) return;
        const isNew = !store.has(resource);
        const before = store.devicesOf(resource);
        store.setDevices(resource, new Map(devices.map((d) => [d.ID, d.health === 'Healthy'])));
        if (isNew) void save();
        deps.onChange(store.usersOfChanged(resource, before));
      }
    } catch (error) {
      if (!signal.aborted) log.debug({ err: error, resource }, 'the list of devices ended');
    } finally {
      plugin.client.close();
      if (!signal.aborted) lost(resource, plugin);
    }
  };
  const start = async (r: Registration): Promise<void> => {
    if (root === undefined || root.aborted) return;
    const client = await deps.connect(path.join(config.directory, r.endpoint));
    const plugin = { client, options: r.options ?? { preStartRequired: false, getPreferredAllocationAvailable: false } };
    const before = plugins.get(r.resourceName);
    gone.get(r.resourceName)?.[Symbol.dispose]();
    gone.delete(r.resourceName);
    plugins.set(r.resourceName, plugin);
    before?.client.close();
    log.info({ resource: r.resourceName }, 'a device plugin registered');
    using child = childSignal(root);
    await follow(r.resourceName, plugin, child.signal);
  };

  /** IDs for one request, or how many there would be. */
  const pick = (o: { resource: string; count: number; reusable: readonly string[] }): readonly string[] | number => {
    const reused = o.reusable.slice(0, o.count);
    const free = store.free(o.resource);
    return reused.length + free.length < o.count ? reused.length + free.length : [...reused, ...free.slice(0, o.count - reused.length)];
  };
  const admit = (pod: PodSnapshot): ReturnType<DeviceManager['admit']> => {
    const { uid } = pod.metadata;
    if (store.of(uid).length > 0) return undefined;
    /** Devices of init containers that are over by the time the others start. */
    const reusable = new Map<string, string[]>();
    const init = initContainersOf(pod);
    for (const c of [...init, ...pod.spec.containers]) {
      for (const [resource, count] of requestsOf(c, (name) => store.has(name))) {
        const ids = pick({ resource, count, reusable: reusable.get(resource) ?? [] });
        if (typeof ids === 'number') {
          store.release(uid);
          const message = `Allocate failed due to requested number of devices unavailable for ${resource}. Requested: ${count}, Available: ${ids}, which is unexpected`;
          return { reason: 'UnexpectedAdmissionError', message };
        }
        store.put({ podUid: uid, container: c.name, resource, ids });
        const own = reusable.get(resource) ?? [];
        reusable.set(resource, init.includes(c) && !isSidecar(c) ? [...new Set([...own, ...ids])] : own.filter((id) => !ids.includes(id)));
      }
    }
    if (store.of(uid).length > 0) void save();
    return undefined;
  };

  /** The plugin may know which devices go well together; those that nobody has can be changed for others. */
  const prefer = async (plugin: Plugin, a: Allocation): Promise<Allocation> => {
    const shared = store.of(a.podUid).some((o) => o !== a && o.resource === a.resource && o.ids.some((id) => a.ids.includes(id)));
    if (!plugin.options.getPreferredAllocationAvailable || shared) return a;
    const available = [...a.ids, ...store.free(a.resource)];
    const wanted = await plugin.client.preferred({ available, mustInclude: [], size: a.ids.length }).catch((error: unknown) => {
      log.warn({ err: error, resource: a.resource }, 'the device plugin has no preference');
      return [];
    });
    // Somebody else may have come first meanwhile.
    const still = new Set([...a.ids, ...store.free(a.resource)]);
    const ids = [...new Set(wanted)].filter((id) => still.has(id));
    return ids.length === a.ids.length ? { ...a, ids } : a;
  };
  const prepareOne = async (a: Allocation): Promise<DeviceGrant> => {
    const plugin = plugins.get(a.resource);
    let { grant, ids } = a;
    if (grant === undefined) {
      if (plugin === undefined) throw new Error(`the device plugin of ${a.resource} is not there`);
      const chosen = await prefer(plugin, a);
      store.put(chosen);
      grant = await plugin.client.allocate(chosen.ids);
      store.put({ ...chosen, grant });
      ids = chosen.ids;
      await save();
    }
    if (plugin?.options.preStartRequired === true) await plugin.client.preStart(ids);
    return grant;
  };

  return {
    load: async () => {
      const read = await readStateFile<Checkpoint | readonly Allocation[]>(file, { empty: [], isUsable: isCheckpoint, log });
      // Former versions recorded allocations only.
      const { resources, allocations } = 'allocations' in read ? read : { resources: [], allocations: read };
      store = new DeviceStore(allocations);
      // Their plugins are still to come; a pod that asks for one must not start without.
      for (const resource of new Set([...resources, ...allocations.map((a) => a.resource)])) store.setDevices(resource, new Map());
    },
    register: (r) => {
      if (r.version !== apiVersion)
        throw new Error(
          `requested API version "${r.version}" is not supported by kubelet. Supported version is ${JSON.stringify(apiVersion)}`,
        );
      if (!isExtendedResource(r.resourceName)) throw new Error(`the ResourceName "${r.resourceName}" is invalid`);
      if (r.endpoint === '' || path.basename(r.endpoint) !== r.endpoint)
        throw new Error(`the endpoint "${r.endpoint}" is not a name in ${config.directory}`);
      const running = start(r)
        .catch((error: unknown) => log.error({ err: error, resource: r.resourceName }, 'the device plugin could not be followed'))
        .finally(() => following.delete(running));
      following.add(running);
    },
    counts: () => store.counts(),
    admit,
    prepare: async (pod, c) => {
      const grants: DeviceGrant[] = [];
      for (const a of store.of(pod.metadata.uid, c.name)) grants.push(await prepareOne(a));
      return grants;
    },
    health: (podUid, container) => store.health(podUid, container),
    release: (podUid) => {
      if (store.release(podUid)) void save();
    },
    run: async (signal) => {
      root = signal;
      await new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
      for (const timer of gone.values()) timer[Symbol.dispose]();
      await Promise.all(following);
      await saving;
    },
  };
}

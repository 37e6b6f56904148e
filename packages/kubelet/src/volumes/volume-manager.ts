import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { Volume } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import type { Clock } from '@skiff/component-base';
import type { PodAddresses } from '../env/field-ref.ts';
import type { ResourceList } from '../env/resource-field-ref.ts';
import type { HostMount } from '../host/host-mount.ts';
import { removeTree } from '../host/safe-tree.ts';
import type { PodObjects } from '../objects/pod-objects.ts';
import { ephemeralContainersOf, initContainersOf, type PodSnapshot } from '../pod/pod-snapshot.ts';
import type { ImageVolumes } from './image-volumes.ts';
import type { PersistentVolumes } from './persistent-volumes.ts';
import { MountFailure } from './mount-failure.ts';
import { podPaths } from './pod-paths.ts';
import { volumePlugins } from './plugins.ts';
import type { ServiceAccountTokens } from './service-account-tokens.ts';
import type { MountedVolume, VolumeContext, VolumeKind, VolumePlugin } from './volume-plugin.ts';

export class VolumeError extends Error {
  /** Its name in the pod. */
  readonly volume: string;
  /** Of the event. */
  readonly reason: MountFailure['reason'];
  constructor(volume: string, cause: unknown) {
    const failure = cause instanceof MountFailure ? cause : new MountFailure('MountVolume.SetUp', volume, cause);
    super(failure.message, { cause });
    this.volume = volume;
    this.reason = failure.reason;
  }
}

/** The reason of the event that tells of what `mount` has thrown. */
export const failedMountReason = (failure: unknown): string => (failure instanceof VolumeError ? failure.reason : 'FailedMount');

export interface VolumeManager {
  /**
   * Mounts what the pod's containers use, or brings it up to date. All volumes are tried; the first failure is thrown as VolumeError.
   */
  mount(pod: PodSnapshot, addresses: PodAddresses, signal: AbortSignal): Promise<ReadonlyMap<string, MountedVolume>>;
  /** Whether `mount` has to be called again when objects, time or addresses change. */
  refreshes(pod: PodSnapshot): boolean;
  /** Some volume's content is known only with the pod's address. */
  needsAddresses(pod: PodSnapshot): boolean;
  /** Unmounts and removes everything of a pod. */
  tearDown(podUid: string): Promise<void>;
}

interface ChosenVolume {
  readonly kind: VolumeKind;
  readonly plugin: VolumePlugin<object>;
  readonly source: object;
  readonly name: string;
}

function choose(volume: DeepReadonly<Volume>): ChosenVolume {
  for (const kind of Object.keys(volumePlugins) as VolumeKind[]) {
    const source = volume[kind];
    // The table pairs each kind with the plugin of its own source type.
    if (source !== undefined) return { kind, plugin: volumePlugins[kind] as unknown as VolumePlugin<object>, source, name: volume.name };
  }
  // A volume without a source is an emptyDir.
  return { kind: 'emptyDir', plugin: volumePlugins.emptyDir as VolumePlugin<object>, source: {}, name: volume.name };
}

function usedVolumes(pod: PodSnapshot): (ChosenVolume & { readonly isDevice: boolean })[] {
  const containers = [...initContainersOf(pod), ...pod.spec.containers, ...ephemeralContainersOf(pod)];
  const mounted = new Set(containers.flatMap((c) => (c.volumeMounts ?? []).map((m) => m.name)));
  const devices = new Set(containers.flatMap((c) => (c.volumeDevices ?? []).map((d) => d.name)));
  return (pod.spec.volumes ?? [])
    .filter((v) => mounted.has(v.name) || devices.has(v.name))
    .map((v) => ({ ...choose(v), isDevice: !mounted.has(v.name) }));
}

export function createVolumeManager(
  config: { rootDirectory: string },
  deps: {
    hostMount: HostMount;
    objects: PodObjects;
    tokens: ServiceAccountTokens;
    imageVolumes: ImageVolumes;
    persistent: PersistentVolumes;
    clock: Clock;
    allocatable: () => ResourceList;
  },
): VolumeManager {
  const memory = new Map<string, Promise<void>>();

  const ensureMemory = (uid: string): Promise<void> => {
    const paths = podPaths(config.rootDirectory, uid);
    const make = async (): Promise<void> => {
      await mkdir(deps.hostMount.local(paths.memory), { recursive: true });
      if (!(await deps.hostMount.mountsBelow(paths.memory)).includes(paths.memory))
        await deps.hostMount.tmpfs(paths.memory, { mode: '0755' });
    };
    const present = memory.get(uid);
    if (present !== undefined) return present;
    const made = make().catch((error: unknown) => {
      memory.delete(uid);
      throw error;
    });
    memory.set(uid, made);
    return made;
  };

  return {
    mount: async (pod, addresses, signal) => {
      const { uid } = pod.metadata;
      const base = {
        pod,
        paths: podPaths(config.rootDirectory, uid),
        hostMount: deps.hostMount,
        objects: deps.objects.of(uid),
        tokens: deps.tokens,
        imageVolumes: deps.imageVolumes,
        persistent: deps.persistent,
        addresses,
        allocatable: deps.allocatable(),
        clock: deps.clock,
        signal,
        ensureMemory: () => ensureMemory(uid),
      };
      const chosen = usedVolumes(pod);
      const results = await Promise.allSettled(
        chosen.map(({ plugin, source, name, isDevice }) => plugin.setUp(source, { ...base, name, isDevice } satisfies VolumeContext)),
      );
      const mounted = new Map<string, MountedVolume>();
      let failure: VolumeError | undefined;
      results.forEach((result, i) => {
        const { name } = chosen[i] as ChosenVolume;
        if (result.status === 'fulfilled') mounted.set(name, result.value);
        else failure ??= new VolumeError(name, result.reason);
      });
      if (failure !== undefined) throw failure;
      return mounted;
    },
    refreshes: (pod) => usedVolumes(pod).some((v) => v.plugin.refreshes) || deps.persistent.isToPublishAgain(pod.metadata.uid),
    needsAddresses: (pod) => usedVolumes(pod).some((v) => v.plugin.needsAddresses?.(v.source) === true),
    tearDown: async (uid) => {
      const { root } = podPaths(config.rootDirectory, uid);
      await deps.persistent.release(uid);
      // Mounts may be stacked, so look again until none is left.
      for (let round = 0; round < 10; round++) {
        const mounts = await deps.hostMount.mountsBelow(root);
        if (mounts.length === 0) break;
        for (const target of mounts) await deps.hostMount.unmount(target);
      }
      const left = await deps.hostMount.mountsBelow(root);
      if (left.length > 0) throw new Error(`still mounted: ${left.join(', ')}`);
      memory.delete(uid);
      deps.objects.release(uid);
      deps.tokens.release(uid);
      await deps.imageVolumes.release(uid);
      // Whatever is mounted there all the same, or linked to, is left alone.
      const local = deps.hostMount.local(root);
      await removeTree(path.dirname(local), path.basename(local)).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error;
      });
    },
  };
}

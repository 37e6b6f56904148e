import type { Volume } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import type { Clock } from '@skiff/component-base';
import type { PodAddresses } from '../env/field-ref.ts';
import type { ReferencedObjects } from '../env/environment.ts';
import type { ResourceList } from '../env/resource-field-ref.ts';
import type { HostMount } from '../host/host-mount.ts';
import type { PodSnapshot } from '../pod/pod-snapshot.ts';
import type { Ownership } from './atomic-writer.ts';
import type { ImageVolumes } from './image-volumes.ts';
import type { PersistentVolumes } from './persistent-volumes.ts';
import type { PodPaths } from './pod-paths.ts';
import type { ServiceAccountTokens } from './service-account-tokens.ts';

export type VolumeSources = Omit<Volume, 'name'>;
export type VolumeKind = keyof VolumeSources;

export interface VolumeContext {
  readonly pod: PodSnapshot;
  readonly name: string;
  readonly paths: PodPaths;
  readonly hostMount: HostMount;
  readonly objects: ReferencedObjects;
  readonly tokens: ServiceAccountTokens;
  readonly imageVolumes: ImageVolumes;
  readonly persistent: PersistentVolumes;
  /** Containers use it as a block device (volumeDevices). */
  readonly isDevice: boolean;
  readonly addresses: PodAddresses;
  readonly allocatable: ResourceList;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Makes sure that the pod's tmpfs is there. */
  ensureMemory(): Promise<void>;
}

export interface MountedVolume {
  /** What containers bind, as the engine sees it. */
  readonly path: string;
  readonly readOnly: boolean;
  /** `path` is a block device. */
  readonly isDevice?: boolean;
  /** The runtime mounts this image; there is no path. */
  readonly image?: { readonly id: string; readonly reference: string };
}

/**
 * One kind of volume. `setUp` is idempotent: it makes the volume or brings it up to date, and is called again for a running pod
 * where `refreshes`. It throws with upstream's texts; the kubelet then says FailedMount and tries again.
 */
export interface VolumePlugin<Source> {
  /** As in `kubernetes.io/<name>`. */
  readonly name: string;
  readonly refreshes: boolean;
  /** Changes with time or with objects that the pod refers to, addresses included; else only with the pod. */
  readonly needsAddresses?: (source: DeepReadonly<Source>) => boolean;
  setUp(source: DeepReadonly<Source>, context: VolumeContext): Promise<MountedVolume>;
}

/** A missing plugin is a compile error. */
export type VolumePlugins = { readonly [K in VolumeKind]-?: VolumePlugin<NonNullable<VolumeSources[K]>> };

/** fsGroup for files that the kubelet writes: group members read, and search directories that pass the group on. */
export function readOnlyOwnership(pod: PodSnapshot): Ownership | undefined {
  const gid = pod.spec.securityContext?.fsGroup;
  return gid === undefined ? undefined : { gid, fileBits: 0o440, directoryBits: 0o2550 };
}

/** The one user of all containers, if they have one: secrets are theirs alone. */
export function commonUser(pod: PodSnapshot): number | undefined {
  const users = new Set(
    [...(pod.spec.initContainers ?? []), ...pod.spec.containers].map(
      (c) => c.securityContext?.runAsUser ?? pod.spec.securityContext?.runAsUser,
    ),
  );
  const [only] = users;
  return users.size === 1 ? only : undefined;
}

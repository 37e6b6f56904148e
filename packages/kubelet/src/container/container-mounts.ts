import type { Device, Mount, MountPropagation } from '@skiff/cri';
import { expandStrictly } from '../env/expand.ts';
import type { HostMount } from '../host/host-mount.ts';
import type { ContainerSpec } from '../pod/pod-snapshot.ts';
import type { PodPaths } from '../volumes/pod-paths.ts';
import type { MountedVolume } from '../volumes/volume-plugin.ts';

const propagations: Readonly<Record<string, MountPropagation>> = {
  None: 'private',
  HostToContainer: 'host-to-container',
  Bidirectional: 'bidirectional',
};

export interface MountInput {
  readonly container: ContainerSpec;
  readonly volumes: ReadonlyMap<string, MountedVolume>;
  readonly env: ReadonlyMap<string, string>;
  readonly paths: PodPaths;
  readonly hostMount: HostMount;
  readonly recursiveReadOnlySupported: boolean;
  /** Files that the kubelet manages: container path → path on the node. A mount of the container at the same path wins. */
  readonly managed: ReadonlyMap<string, string>;
}

function subPathOf(mount: NonNullable<ContainerSpec['volumeMounts']>[number], env: ReadonlyMap<string, string>): string {
  const subPath =
    mount.subPathExpr !== undefined && mount.subPathExpr !== ''
      ? expandStrictly(mount.subPathExpr, (name) => env.get(name))
      : (mount.subPath ?? '');
  if (subPath.startsWith('/')) throw new Error(`error SubPath \`${subPath}\` must not be an absolute path`);
  if (subPath.split('/').includes('..')) throw new Error(`unable to provision SubPath \`${subPath}\`: must not contain '..'`);
  return subPath;
}

function recursive(mount: NonNullable<ContainerSpec['volumeMounts']>[number], supported: boolean): boolean {
  switch (mount.recursiveReadOnly) {
    case 'Enabled':
      if (!supported)
        throw new Error('failed to resolve recursive read-only mode: recursive read-only mounts are not supported by the runtime');
      return true;
    case 'IfPossible':
      return supported && mount.readOnly === true;
    default:
      return false;
  }
}

/**
 * On hosts without systemd the file systems are private, and the engine refuses containers that are to see mounts come and go in them.
 * Nothing spreads from such a one: HostToContainer is what it is without.
 */
async function propagate(hostPath: string, wanted: MountPropagation, { hostMount }: MountInput): Promise<MountPropagation> {
  return wanted === 'host-to-container' && (await hostMount.propagationOf(hostPath)) === 'private' ? 'private' : wanted;
}

/** A container's mounts in the order of its spec, the managed files after them. Throws what becomes CreateContainerConfigError. */
export async function makeMounts(o: MountInput): Promise<readonly Mount[]> {
  const mounts: Mount[] = [];
  const list = o.container.volumeMounts ?? [];
  for (const [index, mount] of list.entries()) {
    const volume = o.volumes.get(mount.name);
    if (volume === undefined) throw new Error(`cannot find volume "${mount.name}" to mount into container "${o.container.name}"`);
    const subPath = subPathOf(mount, o.env);
    const containerPath = mount.mountPath.startsWith('/') ? mount.mountPath : `/${mount.mountPath}`;
    if (volume.image !== undefined) {
      const image = { ...volume.image, ...(subPath === '' ? {} : { subPath }) };
      mounts.push({ containerPath, hostPath: '', image, readOnly: true, propagation: 'private' });
      continue;
    }
    let hostPath = volume.path;
    if (subPath !== '') {
      hostPath = o.paths.subPath(mount.name, o.container.name, index);
      // Every container gets a bind of its own: an old one keeps what it has.
      await o.hostMount.unmount(hostPath);
      await o.hostMount.bindSubPath({ volume: volume.path, subPath, target: hostPath }).catch((cause: unknown) => {
        // The details could tell about the node's files.
        throw new Error(`failed to prepare subPath for volumeMount "${mount.name}" of container "${o.container.name}"`, { cause });
      });
    }
    mounts.push({
      containerPath,
      hostPath,
      readOnly: mount.readOnly === true || volume.readOnly,
      ...(recursive(mount, o.recursiveReadOnlySupported) ? { recursiveReadOnly: true } : {}),
      propagation: await propagate(hostPath, propagations[mount.mountPropagation ?? 'None'] ?? 'private', o),
    });
  }
  const taken = new Set(mounts.map((m) => m.containerPath));
  for (const [containerPath, hostPath] of o.managed) {
    if (!taken.has(containerPath)) mounts.push({ containerPath, hostPath, readOnly: false, propagation: 'private' });
  }
  return mounts;
}

/** Volumes that a container uses as block devices. */
export function makeDevices(container: ContainerSpec, volumes: ReadonlyMap<string, MountedVolume>): readonly Device[] {
  return (container.volumeDevices ?? []).map(({ name, devicePath }) => {
    const volume = volumes.get(name);
    if (volume?.isDevice !== true) throw new Error(`cannot find volume "${name}" to pass into container "${container.name}"`);
    return { hostPath: volume.path, containerPath: devicePath, permissions: volume.readOnly ? 'r' : 'mrw' };
  });
}

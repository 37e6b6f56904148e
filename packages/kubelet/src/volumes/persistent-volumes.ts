import { chmod, readdir } from 'node:fs/promises';
import path from 'node:path';
import { type CSIVolumeSource, type Node, nodeTermMatches, type PersistentVolume, type PersistentVolumeClaim } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import type { Client } from '@skiff/client';
import type { CsiVolumes } from '../csi/csi-volumes.ts';
import type { HostMount } from '../host/host-mount.ts';
import { type BoundClaim, readBoundClaim } from './bound-claims.ts';
import { applyFsGroup } from './fs-group.ts';
import { MountFailure } from './mount-failure.ts';
import { makeMountPoint } from './mount-point.ts';
import { mountNfs } from './nfs-mount.ts';
import { podsDirectory } from './pod-paths.ts';
import type { MountedVolume, VolumeContext } from './volume-plugin.ts';
import { hostPath } from './plugins/host-path.ts';

export interface ClaimMount {
  readonly claimName: string;
  /** A volume of the pod's own, made for it (KEP-1698). */
  readonly isEphemeral: boolean;
  readonly readOnly: boolean;
}

/** Volumes that claims of pods are bound to. */
export interface PersistentVolumes {
  mount(o: ClaimMount, context: VolumeContext): Promise<MountedVolume>;
  /** A volume of a CSI driver without a claim. */
  mountInline(source: DeepReadonly<CSIVolumeSource>, context: VolumeContext): Promise<MountedVolume>;
  /** A driver of the pod's volumes wants `mount` to be called again. */
  isToPublishAgain(podUid: string): boolean;
  /** Before a pod's mounts are taken down. */
  release(podUid: string): Promise<void>;
}

/** A kind of PersistentVolume. `plugin` is the folder of its mounts below the pod's, as in `kubernetes.io~<plugin>`. */
interface Mounter {
  readonly plugin: string;
  readonly hasMountOptions: boolean;
  /** Whether fsGroup is given the files. */
  readonly isOwned: boolean;
  mount(volume: DeepReadonly<PersistentVolume>, o: MountRequest): Promise<MountedVolume>;
}

export interface MountRequest {
  readonly volumeName: string;
  readonly isBlock: boolean;
  readonly readOnly: boolean;
  readonly mountOptions: readonly string[];
  /** Where it is to appear; made already. */
  readonly target: string;
  readonly context: VolumeContext;
}

const mountBetaAnnotation = 'volume.beta.kubernetes.io/mount-options';

const mountOptionsOf = (volume: DeepReadonly<PersistentVolume>): readonly string[] => {
  const old = volume.metadata?.annotations?.[mountBetaAnnotation];
  return [...new Set([...(old === undefined || old === '' ? [] : old.split(',')), ...(volume.spec?.mountOptions ?? [])])];
};

const isMounted = async (hostMount: HostMount, target: string): Promise<boolean> => (await hostMount.mountsBelow(target)).includes(target);

const local: Mounter = {
  plugin: 'local-volume',
  hasMountOptions: true,
  isOwned: true,
  mount: async (volume, { target, context, isBlock, readOnly, mountOptions }) => {
    const source = volume.spec?.local?.path ?? '';
    const found = await context.hostMount.typeOf(source);
    if (found === undefined) throw new Error(`path "${source}" does not exist`);
    if (isBlock) {
      if (found !== 'block') throw new Error(`path "${source}" is not a block device`);
      return { path: source, readOnly, isDevice: true };
    }
    if (!(await isMounted(context.hostMount, target))) {
      const { hostMount } = context;
      if (found === 'directory') await hostMount.bind(source, target, [...(readOnly ? ['ro'] : []), ...mountOptions]);
      else if (found === 'block') {
        await hostMount.formatAndMount({ device: source, target, fsType: volume.spec?.local?.fsType ?? '', options: mountOptions });
        // By this mount alone: another pod of the node may have the same disk for writing.
        if (readOnly)
          await hostMount.remount(target, ['ro']).catch(async (error: unknown) => {
            // What is mounted is taken for done the next time.
            await hostMount.unmount(target);
            throw error;
          });
      } else throw new Error('only directory and block device are supported');
    }
    return { path: target, readOnly };
  },
};

const hostPathVolume: Mounter = {
  plugin: 'host-path',
  hasMountOptions: false,
  isOwned: false,
  mount: async (volume, { context, isBlock, readOnly }) => {
    const source = volume.spec?.hostPath;
    if (source === undefined) throw new Error('the volume has no hostPath');
    if (isBlock) throw new Error('volumes of type hostPath have no block mode');
    const mounted = await hostPath.setUp(source, context);
    return { ...mounted, readOnly };
  },
};

const nfs: Mounter = {
  plugin: 'nfs',
  hasMountOptions: true,
  isOwned: false,
  mount: async (volume, { target, context, isBlock, readOnly, mountOptions }) => {
    const source = volume.spec?.nfs;
    if (source === undefined) throw new Error('the volume has no nfs source');
    if (isBlock) throw new Error('volumes of type nfs have no block mode');
    await mountNfs(source, { target, readOnly: readOnly || source.readOnly === true, mountOptions, hostMount: context.hostMount });
    return { path: target, readOnly };
  },
};

export interface PersistentVolumesConfig {
  readonly rootDirectory: string;
}
export interface PersistentVolumesDeps {
  readonly client: Client;
  readonly hostMount: HostMount;
  readonly node: () => DeepReadonly<Node> | undefined;
  readonly csi: CsiVolumes;
}

/** UIDs of the pods that have a PersistentVolume, as their folders tell; these outlive the kubelet. */
export async function usersOfVolume(volumeName: string, rootDirectory: string, hostMount: HostMount): Promise<readonly string[]> {
  const pods = hostMount.local(podsDirectory(rootDirectory));
  const users: string[] = [];
  const list = (folder: string): Promise<readonly string[]> => readdir(folder).catch(() => []);
  for (const uid of await list(pods)) {
    for (const kind of ['volumes', 'volumeDevices']) {
      for (const plugin of await list(path.join(pods, uid, kind)))
        if ((await list(path.join(pods, uid, kind, plugin))).includes(volumeName)) users.push(uid);
    }
  }
  return [...new Set(users)];
}

function mounterOf(volume: DeepReadonly<PersistentVolume>, csi: CsiVolumes): Mounter {
  const spec = volume.spec ?? {};
  // Drivers are told of mount options and of fsGroup.
  if (spec.csi !== undefined) return { plugin: 'csi', hasMountOptions: true, isOwned: false, mount: (v, o) => csi.mount(v, o) };
  if (spec.local !== undefined) return local;
  if (spec.hostPath !== undefined) return hostPathVolume;
  if (spec.nfs !== undefined) return nfs;
  throw new Error('no volume plugin of this kubelet supports the source of the PersistentVolume');
}

export function createPersistentVolumes(config: PersistentVolumesConfig, deps: PersistentVolumesDeps): PersistentVolumes {
  const checkUse = async (bound: BoundClaim, podUid: string): Promise<void> => {
    if (bound.volume.spec?.accessModes?.includes('ReadWriteOncePod') !== true) return;
    const users = await usersOfVolume(bound.volumeName, config.rootDirectory, deps.hostMount);
    if (users.some((uid) => uid !== podUid))
      throw new Error('volume uses the ReadWriteOncePod access mode and is already in use by another pod');
  };
  const fitsNode = ({ volume }: BoundClaim): boolean => {
    const terms = volume.spec?.nodeAffinity?.required?.nodeSelectorTerms;
    const node = deps.node();
    return (
      terms === undefined ||
      node === undefined ||
      terms.some((term) => nodeTermMatches(term, { name: node.metadata?.name ?? '', labels: node.metadata?.labels ?? {} }))
    );
  };
  return {
    mount: async (o, context) => {
      const bound = await readBoundClaim(context.pod, o, { client: deps.client, clock: context.clock, signal: context.signal });
      const { volume, claim, volumeName } = bound;
      const { uid } = context.pod.metadata;
      const isBlock = isBlockClaim(claim);
      /** What fails from here on is told of the PersistentVolume, as upstream does. */
      const failed = (operation: string, cause: unknown): Error => {
        context.signal.throwIfAborted();
        return cause instanceof MountFailure
          ? cause
          : new MountFailure(`${isBlock ? 'MapVolume' : 'MountVolume'}.${operation}`, volumeName, cause);
      };
      if (!fitsNode(bound)) throw failed('NodeAffinity check', 'no matching NodeSelectorTerms');
      if (isBlock !== context.isDevice)
        throw new Error(
          isBlock
            ? `volume ${context.name} has volumeMode Block, but is specified in volumeMounts`
            : `volume ${context.name} has volumeMode Filesystem, but is specified in volumeDevices`,
        );
      const mounter = mounterOf(volume, deps.csi);
      const mountOptions = mountOptionsOf(volume);
      if (mountOptions.length > 0 && !mounter.hasMountOptions)
        throw failed('MountOptionSupport check', 'Mount options are not supported for this volume type');
      await checkUse(bound, uid).catch((error: unknown) => {
        throw failed(isBlock ? 'SetUpDevice' : 'SetUp', error);
      });
      const target = isBlock ? context.paths.volumeDevice(mounter.plugin, volumeName) : context.paths.volume(mounter.plugin, volumeName);
      // Its name there says that the pod has the volume, for as long as it does.
      await makeMountPoint(target, deps.hostMount);
      if (!isBlock) await chmod(path.dirname(deps.hostMount.local(target)), 0o750);
      const readOnly = o.readOnly || (claim.spec?.accessModes ?? []).every((mode) => mode === 'ReadOnlyMany');
      const request = { volumeName, isBlock, readOnly: o.readOnly, mountOptions, target, context };
      const mounted = await mounter.mount(volume, request).catch((error: unknown) => {
        throw failed(isBlock ? 'SetUpDevice' : 'SetUp', error);
      });
      if (mounter.isOwned && mounted.isDevice !== true && !readOnly) await applyFsGroup(context.pod, mounted.path, deps.hostMount);
      return mounted;
    },
    mountInline: (source, context) => deps.csi.mountInline(source, context),
    isToPublishAgain: (podUid) => deps.csi.isToPublishAgain(podUid),
    release: (podUid) => deps.csi.release(podUid),
  };
}

const isBlockClaim = (claim: PersistentVolumeClaim): boolean => claim.spec?.volumeMode === 'Block';

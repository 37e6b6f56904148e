import { mkdir, readdir, readFile, rmdir } from 'node:fs/promises';
import path from 'node:path';
import type { CSIVolumeSource, PersistentVolume } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import type { Client } from '@skiff/client';
import type { Clock, Logger } from '@skiff/component-base';
import type { HostMount } from '../host/host-mount.ts';
import { removeTree } from '../host/safe-tree.ts';
import { applyFsGroup } from '../volumes/fs-group.ts';
import { MountFailure } from '../volumes/mount-failure.ts';
import { makeMountPoint } from '../volumes/mount-point.ts';
import { podPaths, podsDirectory } from '../volumes/pod-paths.ts';
import type { ServiceAccountTokens } from '../volumes/service-account-tokens.ts';
import type { MountedVolume, VolumeContext } from '../volumes/volume-plugin.ts';
import type { CsiDrivers } from './csi-drivers.ts';
import {
  attachmentName,
  blockPublish,
  blockStaging,
  globalMount,
  inlineHandle,
  stagedDirectory,
  uniqueVolumeName,
  volumeFolder,
} from './csi-paths.ts';
import { isFinal } from './channel.ts';
import { guessVolumeData, publishedPath } from './damaged-data.ts';
import { type Attached, notAttached, podInfo, podTokens, readDriver, readSecret, untilAttached, untilToldInUse } from './driver-facts.ts';
import { createKeyedLock } from './keyed-lock.ts';
import { isGivenToGroup, renderCapability } from './volume-capability.ts';
import { loadVolumeData, saveVolumeData, type VolumeData } from './volume-data.ts';

export interface CsiMount {
  readonly volumeName: string;
  readonly isBlock: boolean;
  readonly readOnly: boolean;
  readonly mountOptions: readonly string[];
  /** The pod's own folder of the volume; made already. */
  readonly target: string;
  readonly context: VolumeContext;
}

/** Volumes of CSI drivers: attached, staged once a node, published once a pod, and all of it undone from what is on disk. */
export interface CsiVolumes {
  mount(volume: DeepReadonly<PersistentVolume>, o: CsiMount): Promise<MountedVolume>;
  mountInline(source: DeepReadonly<CSIVolumeSource>, context: VolumeContext): Promise<MountedVolume>;
  /** Takes back all that a pod has. Throws while a driver is not there or refuses. */
  release(podUid: string): Promise<void>;
  /** Unstages what no pod has any more. */
  sweep(): Promise<void>;
  /** UIDs of pods with volumes whose drivers want to be asked again and again (`requiresRepublish`). */
  toPublishAgain(signal: AbortSignal): Promise<readonly string[]>;
  /** Whether a pod was among these and has not been published since. */
  isToPublishAgain(podUid: string): boolean;
  /** Volumes that must not be detached, as `node.status.volumesInUse` names them. */
  inUse(): Promise<readonly string[]>;
}

export interface CsiVolumesDeps {
  readonly client: Client;
  readonly drivers: CsiDrivers;
  readonly tokens: ServiceAccountTokens;
  readonly hostMount: HostMount;
  readonly clock: Clock;
  readonly log: Logger;
  /** `inUse` says something else from now on. */
  readonly onUseChange: () => void;
  /** A pod got a volume. */
  readonly onPublished: () => void;
}

const listOf = (folder: string): Promise<readonly string[]> =>
  readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return [];
    throw error;
  });

const withoutStaged = ({ stagedInBoot: _boot, stagedMount: _mount, ...data }: VolumeData): VolumeData => data;

const readBoot = async (): Promise<string> => (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();

export function createCsiVolumes(config: { readonly rootDirectory: string; readonly nodeName: string }, deps: CsiVolumesDeps): CsiVolumes {
  const { hostMount, client } = deps;
  const { rootDirectory: root } = config;
  const local = (p: string): string => hostMount.local(p);
  /** One volume is staged or unstaged by one at a time. */
  const lock = createKeyedLock();
  const keyOf = (d: { driverName: string; volumeHandle: string }): string => uniqueVolumeName(d.driverName, d.volumeHandle);

  /** By folder, what `inUse` found last. */
  let lastInUse: ReadonlyMap<string, VolumeData | undefined> = new Map();
  const damaged = new Set<string>();
  const dueAgain = new Set<string>();
  /** One damaged file must not stop the work on all other volumes. */
  const loadOrSkip = async (folder: string, otherwise?: VolumeData): Promise<VolumeData | undefined> => {
    try {
      const data = await loadVolumeData(local(folder));
      damaged.delete(folder);
      return data;
    } catch (error) {
      if (!damaged.has(folder)) deps.log.error({ err: error, folder }, 'a volume is left alone: what is known of it could not be read');
      damaged.add(folder);
      return otherwise;
    }
  };

  /** Folders in which a pod's volumes are described. */
  const foldersOf = async (uid: string): Promise<readonly string[]> => {
    const { root: pod } = podPaths(root, uid);
    const kinds = ['volumes/kubernetes.io~csi', 'volumeDevices/kubernetes.io~csi'].map((k) => path.join(pod, k));
    return (await Promise.all(kinds.map(async (k) => (await listOf(local(k))).map((name) => path.join(k, name))))).flat();
  };
  const isUsed = async (volume: VolumeData): Promise<boolean> => {
    for (const uid of await listOf(local(podsDirectory(root)))) {
      for (const folder of await foldersOf(uid)) {
        const data = await loadOrSkip(folder);
        // Of a damaged one still the name is known.
        if (data === undefined && damaged.has(folder) && path.basename(folder) === volume.specVolID) return true;
        if (data?.volumeLifecycleMode === 'Persistent' && keyOf(data) === keyOf(volume)) return true;
      }
    }
    return false;
  };
  const stagedFolders = async (): Promise<readonly string[]> => {
    const base = stagedDirectory(root);
    const drivers = (await listOf(local(base))).filter((d) => d !== 'volumeDevices');
    return (
      await Promise.all(drivers.map(async (d) => (await listOf(local(path.join(base, d)))).map((v) => path.join(base, d, v))))
    ).flat();
  };
  /** Drivers stage once; what they staged before a reboot is gone. */
  const isStagedStill = async (folder: string, stagingPath: string): Promise<boolean> => {
    const known = await loadOrSkip(folder);
    if (known?.stagedInBoot === undefined || known.stagedInBoot !== (await readBoot()) || known.stagingPath !== stagingPath) return false;
    return known.stagedMount !== 'true' || (await hostMount.mountsBelow(stagingPath)).includes(stagingPath);
  };
  const unmountAndForget = async (folder: string, data: VolumeData | undefined): Promise<void> => {
    if (data !== undefined) {
      await hostMount.unmount(data.stagingPath === '' ? globalMount(folder) : data.stagingPath);
      if (data.stagingPath !== '') await rmdir(local(data.stagingPath)).catch(() => undefined);
    }
    await removeTree(local(path.dirname(folder)), path.basename(folder));
    deps.onUseChange();
  };
  const unstage = async (folder: string): Promise<void> => {
    const data = await loadVolumeData(local(folder));
    if (data !== undefined) {
      const service = data.stagingPath === '' ? undefined : deps.drivers.get(data.driverName);
      // Whether it is still staged if that fails, nobody knows: who comes next has it staged again.
      if (data.stagedInBoot !== undefined) await saveVolumeData(local(folder), withoutStaged(data));
      if (service !== undefined) await service.unstage({ volumeId: data.volumeHandle, stagingTargetPath: data.stagingPath });
    }
    await unmountAndForget(folder, data);
  };
  const unstageUnused = (data: VolumeData): Promise<void> =>
    lock(keyOf(data), async () => {
      if (!(await isUsed(data))) await unstage(volumeFolder(root, { driver: data.driverName, volumeHandle: data.volumeHandle }));
    });

  /** A record that is damaged must not keep a pod for ever. */
  const guess = async (folder: string, podUid: string): Promise<VolumeData | undefined> => {
    const staged = (await Promise.all((await stagedFolders()).map((f) => loadOrSkip(f)))).filter((d) => d !== undefined);
    const data = guessVolumeData(folder, { staged, podUid, rootDirectory: root });
    if (data !== undefined) return data;
    deps.log.error({ folder }, 'a volume is unmounted without its driver: nothing is known of it');
    await hostMount.unmount(publishedPath(folder, { podUid, rootDirectory: root }));
    return undefined;
  };
  const unpublish = async (folder: string, podUid: string): Promise<void> => {
    const data = (await loadOrSkip(folder)) ?? (damaged.has(folder) ? await guess(folder, podUid) : undefined);
    if (data !== undefined) {
      if (data.publishBegun !== 'false')
        await deps.drivers.get(data.driverName).unpublish({ volumeId: data.volumeHandle, targetPath: data.targetPath });
      await hostMount.unmount(data.targetPath);
      // The driver made it and should have removed it.
      await removeTree(local(path.dirname(data.targetPath)), path.basename(data.targetPath)).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error;
      });
      // Block volumes lie in a folder of their PersistentVolume, which goes with the last pod.
      await rmdir(local(path.dirname(data.targetPath))).catch((error: NodeJS.ErrnoException) => {
        if (!['ENOENT', 'ENOTEMPTY', 'EEXIST'].includes(error.code ?? '')) throw error;
      });
    }
    await removeTree(local(path.dirname(folder)), path.basename(folder));
    damaged.delete(folder);
    if (data?.volumeLifecycleMode !== 'Persistent') return;
    await unstageUnused(data).catch((error: unknown) =>
      deps.log.warn({ err: error, volume: data.volumeHandle }, 'a volume that nobody uses could not be unstaged; housekeeping tries again'),
    );
  };

  const isThere = async (target: string, isBlock: boolean): Promise<boolean> =>
    isBlock ? (await hostMount.typeOf(target)) === 'block' : (await hostMount.mountsBelow(target)).includes(target);

  return {
    mount: async (volume, o) => {
      const { context } = o;
      const source = volume.spec?.csi;
      if (source === undefined) throw new Error('the volume has no csi source');
      const { driver: driverName, volumeHandle } = source;
      const service = deps.drivers.get(driverName);
      const driver = await readDriver(client, driverName, context.signal);
      const modes = driver?.spec?.volumeLifecycleModes ?? ['Persistent'];
      if (!modes.includes('Persistent'))
        throw new Error(
          `volume mode "Persistent" not supported by driver ${driverName} (only supports [${modes.map((m) => `"${m}"`).join(' ')}])`,
        );
      const targetPath = o.isBlock ? blockPublish(root, o.volumeName, context.pod.metadata.uid) : path.join(o.target, 'mount');
      const mounted: MountedVolume = { path: targetPath, readOnly: o.readOnly, ...(o.isBlock ? { isDevice: true } : {}) };
      if ((await isThere(targetPath, o.isBlock)) && driver?.spec?.requiresRepublish !== true) return mounted;
      const reading = { client, signal: context.signal };
      const name = attachmentName({ volumeHandle, driver: driverName, nodeName: config.nodeName });
      const kind = o.isBlock ? 'MapVolume' : 'MountVolume';
      const failed = (operation: string) => (error: unknown) => {
        context.signal.throwIfAborted();
        throw new MountFailure(`${kind}.${operation}`, o.volumeName, error);
      };
      const attached = (): Promise<Attached> =>
        untilAttached(name, { volumeHandle, driverName, clock: deps.clock, ...reading }).catch(failed('WaitForAttach'));
      let { attachable, publishContext } = driver?.spec?.attachRequired === false ? notAttached : await attached();
      const fsGroup = context.pod.spec.securityContext?.fsGroup;
      const group = (await service.has('VOLUME_MOUNT_GROUP')) ? fsGroup : undefined;
      const fsType = source.fsType ?? '';
      const volumeCapability = await renderCapability(service, {
        accessMode: volume.spec?.accessModes?.[0] ?? 'ReadWriteOnce',
        isBlock: o.isBlock,
        fsType,
        mountFlags: o.mountOptions,
        group,
      });
      const folder = volumeFolder(root, { driver: driverName, volumeHandle });
      const isStaged = await service.has('STAGE_UNSTAGE_VOLUME');
      const stagingPath = !isStaged ? '' : o.isBlock ? blockStaging(root, o.volumeName) : globalMount(folder);
      const before = await loadOrSkip(o.target);
      const data: VolumeData = {
        specVolID: o.volumeName,
        volumeHandle,
        driverName,
        volumeLifecycleMode: 'Persistent',
        targetPath,
        stagingPath,
        attachable: String(attachable),
        publishBegun: before === undefined && !damaged.has(o.target) ? 'false' : (before?.publishBegun ?? 'true'),
      };
      const secretsOf = (ref: typeof source.nodeStageSecretRef, what: string) => readSecret(ref, { what, ...reading });
      const volumeContext = source.volumeAttributes ?? {};
      await lock(keyOf(data), async () => {
        // From here on the volume counts as used by the pod.
        await saveVolumeData(local(o.target), data);
        await makeMountPoint(stagingPath === '' ? folder : stagingPath, hostMount, 0o750);
        await mkdir(local(folder), { recursive: true, mode: 0o750 });
        if (await isStagedStill(folder, stagingPath)) return;
        await saveVolumeData(local(folder), data);
        deps.onUseChange();
        if (attachable) {
          await untilToldInUse(keyOf(data), { nodeName: config.nodeName, clock: deps.clock, ...reading });
          // It may have been detached until then.
          ({ attachable, publishContext } = await attached());
        }
        if (stagingPath === '') return;
        const secrets = await secretsOf(source.nodeStageSecretRef, 'NodeStageSecretRef');
        await service
          .stage({ volumeId: volumeHandle, publishContext, stagingTargetPath: stagingPath, volumeCapability, secrets, volumeContext })
          .catch(async (error: unknown) => {
            // A driver that has said no has staged nothing, and is not asked to take it back.
            if (isFinal(error)) await unmountAndForget(folder, data);
            return failed(o.isBlock ? 'SetUpDevice' : 'MountDevice')(error);
          });
        const stagedMount = String((await hostMount.mountsBelow(stagingPath)).includes(stagingPath));
        await saveVolumeData(local(folder), { ...data, stagedInBoot: await readBoot(), stagedMount });
      });
      const tokens = await podTokens(context.pod, driver?.spec?.tokenRequests, { tokens: deps.tokens, signal: context.signal });
      const inSecrets = driver?.spec?.serviceAccountTokenInSecrets === true;
      const publishSecrets = await secretsOf(source.nodePublishSecretRef, 'NodePublishSecretRef');
      await mkdir(local(path.dirname(targetPath)), { recursive: true, mode: 0o750 });
      if (data.publishBegun !== 'true') await saveVolumeData(local(o.target), { ...data, publishBegun: 'true' });
      const publishing = service.publish({
        volumeId: volumeHandle,
        publishContext,
        stagingTargetPath: stagingPath,
        targetPath,
        volumeCapability,
        readonly: o.readOnly,
        secrets: inSecrets ? { ...publishSecrets, ...tokens } : publishSecrets,
        volumeContext: {
          ...volumeContext,
          ...(driver?.spec?.podInfoOnMount === true ? podInfo(context.pod, false) : {}),
          ...(inSecrets ? {} : tokens),
        },
      });
      await publishing.catch(failed(o.isBlock ? 'MapPodDevice' : 'SetUp'));
      dueAgain.delete(context.pod.metadata.uid);
      if (
        !o.isBlock &&
        group === undefined &&
        isGivenToGroup(driver, { fsType, accessModes: volume.spec?.accessModes ?? [], readOnly: o.readOnly })
      )
        await applyFsGroup(context.pod, targetPath, hostMount);
      deps.onPublished();
      return mounted;
    },

    mountInline: async (source, context) => {
      const { pod, signal } = context;
      const driverName = source.driver;
      const service = deps.drivers.get(driverName);
      const driver = await readDriver(client, driverName, signal);
      if (driver === undefined) throw new Error(`volume mode "Ephemeral" not supported by driver ${driverName} (no CSIDriver object)`);
      const modes = driver.spec?.volumeLifecycleModes ?? ['Persistent'];
      if (!modes.includes('Ephemeral'))
        throw new Error(
          `volume mode "Ephemeral" not supported by driver ${driverName} (only supports [${modes.map((m) => `"${m}"`).join(' ')}])`,
        );
      const folder = context.paths.volume('csi', context.name);
      const targetPath = path.join(folder, 'mount');
      const readOnly = source.readOnly === true;
      const mounted: MountedVolume = { path: targetPath, readOnly };
      if ((await isThere(targetPath, false)) && driver.spec?.requiresRepublish !== true) return mounted;
      const volumeHandle = inlineHandle(pod.metadata.uid, context.name);
      const fsType = source.fsType ?? '';
      const group = (await service.has('VOLUME_MOUNT_GROUP')) ? pod.spec.securityContext?.fsGroup : undefined;
      const volumeCapability = await renderCapability(service, {
        accessMode: 'ReadWriteOnce',
        isBlock: false,
        fsType,
        mountFlags: [],
        group,
      });
      const ref = source.nodePublishSecretRef;
      const secretRef = ref === undefined ? undefined : { namespace: pod.metadata.namespace, name: ref.name ?? '' };
      const secrets = await readSecret(secretRef, { what: 'NodePublishSecretRef', client, signal });
      const tokens = await podTokens(pod, driver.spec?.tokenRequests, { tokens: deps.tokens, signal });
      const inSecrets = driver.spec?.serviceAccountTokenInSecrets === true;
      await mkdir(local(folder), { recursive: true, mode: 0o750 });
      await saveVolumeData(local(folder), {
        specVolID: context.name,
        volumeHandle,
        driverName,
        volumeLifecycleMode: 'Ephemeral',
        targetPath,
        stagingPath: '',
        attachable: 'false',
      });
      await service.publish({
        volumeId: volumeHandle,
        publishContext: {},
        stagingTargetPath: '',
        targetPath,
        volumeCapability,
        readonly: readOnly,
        secrets: inSecrets ? { ...secrets, ...tokens } : secrets,
        volumeContext: {
          ...source.volumeAttributes,
          ...(driver.spec?.podInfoOnMount === true ? podInfo(pod, true) : {}),
          ...(inSecrets ? {} : tokens),
        },
      });
      if (group === undefined && isGivenToGroup(driver, { fsType, accessModes: ['ReadWriteOnce'], readOnly }))
        await applyFsGroup(pod, targetPath, hostMount);
      return mounted;
    },

    release: async (podUid) => {
      for (const folder of await foldersOf(podUid)) await unpublish(folder, podUid);
    },
    sweep: async () => {
      for (const folder of await stagedFolders()) {
        const data = await loadOrSkip(folder);
        // Of those whose driver is away nothing can be said.
        if (data !== undefined && deps.drivers.has(data.driverName)) await unstageUnused(data);
      }
    },
    toPublishAgain: async (signal) => {
      const pods = new Map<string, string[]>();
      for (const uid of await listOf(local(podsDirectory(root)))) {
        for (const folder of await foldersOf(uid)) {
          const data = await loadOrSkip(folder);
          if (data !== undefined) pods.set(data.driverName, [...(pods.get(data.driverName) ?? []), uid]);
        }
      }
      const wanting = await Promise.all(
        [...pods].map(async ([name, uids]) => ((await readDriver(client, name, signal))?.spec?.requiresRepublish === true ? uids : [])),
      );
      const all = new Set(wanting.flat());
      for (const uid of dueAgain) if (!all.has(uid)) dueAgain.delete(uid);
      for (const uid of all) dueAgain.add(uid);
      return [...all];
    },
    isToPublishAgain: (podUid) => dueAgain.has(podUid),
    inUse: async () => {
      const folders = await stagedFolders();
      const all = await Promise.all(folders.map(async (f) => [f, await loadOrSkip(f, lastInUse.get(f))] as const));
      lastInUse = new Map(all);
      return all.flatMap(([, d]) => (d?.attachable === 'true' ? [keyOf(d)] : [])).sort();
    },
  };
}

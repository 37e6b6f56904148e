import { mkdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import type { ImageService } from '@skiff/cri';
import type { HostMount } from '../host/host-mount.ts';
import type { ImageManager } from '../images/image-manager.ts';
import type { CredentialLookup } from '../images/puller.ts';
import type { PodSnapshot } from '../pod/pod-snapshot.ts';
import type { MountedVolume } from './volume-plugin.ts';

/** The image of a volume can't be had; becomes the waiting reason of the containers that mount it. */
export class ImageVolumeFailure extends Error {
  readonly reason: string;
  readonly retryAtMs: number | undefined;
  constructor(reason: string, message: string, retryAtMs: number | undefined) {
    super(message);
    this.reason = reason;
    this.retryAtMs = retryAtMs;
  }
}

/**
 * Root filesystems of images (KEP-4639): for the runtime to mount where it can, else unpacked once for all pods that mount them, and
 * removed with the last of them.
 */
export interface ImageVolumes {
  /** Fetches as the policy says. Throws ImageVolumeFailure. */
  mount(
    pod: PodSnapshot,
    o: { readonly reference: string; readonly policy: string; readonly signal: AbortSignal },
  ): Promise<Pick<MountedVolume, 'path' | 'image'>>;
  release(podUid: string): Promise<void>;
  /** IDs of images that pods mount. */
  inUse(): readonly string[];
}

export function createImageVolumes(
  config: { readonly rootDirectory: string },
  deps: {
    readonly manager: ImageManager;
    readonly images: ImageService;
    /** The runtime takes mounts that name images. */
    readonly runtimeMounts: boolean;
    readonly hostMount: HostMount;
    readonly credentials: (pod: PodSnapshot) => CredentialLookup;
    readonly event: (pod: PodSnapshot, type: 'Normal' | 'Warning', reason: string, message: string) => void;
  },
): ImageVolumes {
  const base = path.join(config.rootDirectory, 'image-volumes');
  const directoryOf = (id: string): string => path.join(base, id.replace(/^sha256:/, ''));
  /** Of images, by ID: the pods. */
  const users = new Map<string, Set<string>>();
  const unpacking = new Map<string, Promise<void>>();

  const unpack = async (id: string, target: string, signal: AbortSignal): Promise<void> => {
    const local = deps.hostMount.local(target);
    const present = await stat(local).then(
      () => true,
      () => false,
    );
    if (present) return;
    // It gets its name when it is complete.
    const half = `${local}.part`;
    await rm(half, { recursive: true, force: true });
    await mkdir(half, { recursive: true });
    await deps.images.extractImage(id, half, signal);
    await rename(half, local);
  };

  return {
    mount: async (pod, { reference, policy, signal }) => {
      const found = await deps.manager.ensure({
        podUid: pod.metadata.uid,
        image: reference,
        policy,
        credentials: deps.credentials(pod),
        event: (type, reason, message) => deps.event(pod, type, reason, message),
        signal,
      });
      if (!found.ok) throw new ImageVolumeFailure(found.reason, found.message, found.retryAtMs);
      const { id } = found.image;
      const mine = users.get(id) ?? new Set<string>();
      users.set(id, mine.add(pod.metadata.uid));
      if (deps.runtimeMounts) return { path: '', image: { id, reference } };
      const target = directoryOf(id);
      let work = unpacking.get(target);
      if (work === undefined) {
        work = unpack(id, target, signal).finally(() => unpacking.delete(target));
        unpacking.set(target, work);
      }
      await work;
      return { path: target };
    },
    release: async (podUid) => {
      for (const [id, mine] of users) {
        if (!mine.delete(podUid) || mine.size > 0) continue;
        users.delete(id);
        if (!deps.runtimeMounts) await rm(deps.hostMount.local(directoryOf(id)), { recursive: true, force: true });
      }
    },
    inUse: () => [...users.keys()],
  };
}

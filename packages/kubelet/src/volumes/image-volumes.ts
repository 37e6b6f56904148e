import { mkdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import type { ImageService } from '@skiff/cri';
import type { HostMount } from '../host/host-mount.ts';
import type { ImageManager } from '../images/image-manager.ts';
import type { CredentialLookup } from '../images/puller.ts';
import type { PodSnapshot } from '../pod/pod-snapshot.ts';

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

/** Root filesystems of images, unpacked once for all pods that mount them (KEP-4639), and removed with the last of them. */
export interface ImageVolumes {
  /** Fetches as the policy says, and returns the directory. Throws ImageVolumeFailure. */
  path(pod: PodSnapshot, o: { readonly reference: string; readonly policy: string; readonly signal: AbortSignal }): Promise<string>;
  release(podUid: string): Promise<void>;
}

export function createImageVolumes(
  config: { readonly rootDirectory: string },
  deps: {
    readonly manager: ImageManager;
    readonly images: ImageService;
    readonly hostMount: HostMount;
    readonly credentials: (pod: PodSnapshot) => CredentialLookup;
    readonly event: (pod: PodSnapshot, type: 'Normal' | 'Warning', reason: string, message: string) => void;
  },
): ImageVolumes {
  const base = path.join(config.rootDirectory, 'image-volumes');
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
    path: async (pod, { reference, policy, signal }) => {
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
      const target = path.join(base, id.replace(/^sha256:/, ''));
      const mine = users.get(target) ?? new Set<string>();
      users.set(target, mine.add(pod.metadata.uid));
      let work = unpacking.get(target);
      if (work === undefined) {
        work = unpack(id, target, signal).finally(() => unpacking.delete(target));
        unpacking.set(target, work);
      }
      await work;
      return target;
    },
    release: async (podUid) => {
      for (const [target, mine] of users) {
        if (!mine.delete(podUid) || mine.size > 0) continue;
        users.delete(target);
        await rm(deps.hostMount.local(target), { recursive: true, force: true });
      }
    },
  };
}

import type { Clock, Logger } from '@skiff/component-base';
import { type Image, type ImageService, isRuntimeError } from '@skiff/cri';
import { isMapOfObjects, readStateFile, writeStateFile } from '../host/state-file.ts';

export interface ImageGarbageConfig {
  /** Where it remembers which images it fetched. */
  readonly file: string;
  /** Above this share of the filesystem images are removed, until it is down to `lowShare`. */
  readonly highShare: number;
  readonly lowShare: number;
  /** An image that was fetched just now is about to be used. */
  readonly minimumAgeMs: number;
  /** Unused for so long, an image goes whatever room there is; 0: never. */
  readonly maximumAgeMs: number;
}

interface PulledImage {
  readonly pulledAtMs: number;
  lastUsedMs: number;
}

/**
 * Frees disk space by removing images that this kubelet fetched and that no container uses, the longest unused first. Images that
 * came from elsewhere belong to the engine's user and stay.
 */
export interface ImageGarbage {
  notePulled(image: Image): Promise<void>;
  /** `inUse`: IDs and names of images of present containers. Returns how many were removed. */
  collect(inUse: ReadonlySet<string>): Promise<number>;
  /** The same for every unused image, however new: the node needs the room. */
  reclaim(inUse: ReadonlySet<string>): Promise<number>;
}

export function createImageGarbage(config: ImageGarbageConfig, deps: { images: ImageService; clock: Clock; log: Logger }): ImageGarbage {
  const { images, clock, log } = deps;
  let records: Map<string, PulledImage> | undefined;
  let saving: Promise<void> = Promise.resolve();

  const load = async (): Promise<Map<string, PulledImage>> => {
    if (records !== undefined) return records;
    const read = await readStateFile<Record<string, PulledImage>>(config.file, { empty: {}, isUsable: isMapOfObjects, log });
    records ??= new Map(Object.entries(read));
    return records;
  };
  const save = (): Promise<void> => {
    saving = saving.catch(() => undefined).then(() => writeStateFile(config.file, Object.fromEntries(records ?? [])));
    return saving;
  };

  const isUsed = (image: Image | undefined, inUse: ReadonlySet<string>): boolean =>
    image !== undefined && (inUse.has(image.id) || [...image.repoTags, ...image.repoDigests].some((n) => inUse.has(n)));
  /** Forgets what is gone, and notes what is in use. */
  const refresh = async (inUse: ReadonlySet<string>): Promise<{ known: Map<string, PulledImage>; present: ReadonlyMap<string, Image> }> => {
    const known = await load();
    const present = new Map(known.size === 0 ? [] : (await images.listImages()).map((i) => [i.id, i]));
    for (const [id, r] of known) {
      if (!present.has(id)) known.delete(id);
      else if (isUsed(present.get(id), inUse)) r.lastUsedMs = clock.now();
    }
    return { known, present };
  };
  /** The longest unused first, until `excessBytes` are free. */
  const remove = async (
    candidates: readonly (readonly [string, PulledImage])[],
    present: ReadonlyMap<string, Image>,
    excessBytes: number,
  ): Promise<number> => {
    let [removed, excess] = [0, excessBytes];
    for (const [id] of [...candidates].sort(([, a], [, b]) => a.lastUsedMs - b.lastUsedMs)) {
      if (excess <= 0) break;
      try {
        await images.removeImage(id);
        records?.delete(id);
        excess -= present.get(id)?.sizeBytes ?? 0;
        removed += 1;
      } catch (error) {
        // A container of somebody else uses it, or the engine can't remove it; another one may still be gone.
        if (!isRuntimeError(error, 'conflict')) log.warn({ err: error, image: id }, 'an unused image could not be removed');
      }
    }
    return removed;
  };

  return {
    notePulled: async (image) => {
      const known = await load();
      known.set(image.id, { pulledAtMs: clock.now(), lastUsedMs: clock.now() });
      await save();
    },
    collect: async (inUse) => {
      const { known, present } = await refresh(inUse);
      if (known.size === 0) return 0;
      const now = clock.now();
      let removed = 0;
      if (config.maximumAgeMs > 0) {
        const old = [...known].filter(([id, r]) => now - r.lastUsedMs > config.maximumAgeMs && !isUsed(present.get(id), inUse));
        removed += await remove(old, present, Number.POSITIVE_INFINITY);
      }
      const fs = await images.imageFilesystem();
      if (fs.usedBytes > fs.capacityBytes * config.highShare) {
        const candidates = [...known].filter(([id, r]) => now - r.lastUsedMs >= config.minimumAgeMs && !isUsed(present.get(id), inUse));
        removed += await remove(candidates, present, fs.usedBytes - fs.capacityBytes * config.lowShare);
      }
      if (removed > 0) log.info({ removed }, 'removed unused images');
      await save();
      return removed;
    },
    reclaim: async (inUse) => {
      const { known, present } = await refresh(inUse);
      const removed = await remove(
        [...known].filter(([id]) => !isUsed(present.get(id), inUse)),
        present,
        Number.POSITIVE_INFINITY,
      );
      if (removed > 0) log.info({ removed }, 'removed all unused images, since the node is short of disk space');
      await save();
      return removed;
    },
  };
}

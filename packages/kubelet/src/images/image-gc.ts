import { readFile, rename, writeFile } from 'node:fs/promises';
import type { Clock, Logger } from '@skiff/component-base';
import { type Image, type ImageService, isRuntimeError } from '@skiff/cri';

/** Upstream's thresholds, in shares of the filesystem that holds the images. */
const highShare = 0.85;
const lowShare = 0.8;
/** An image that was fetched just now is about to be used. */
const minAgeMs = 120_000;

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
}

export function createImageGarbage(
  config: { readonly file: string },
  deps: { images: ImageService; clock: Clock; log: Logger },
): ImageGarbage {
  const { images, clock, log } = deps;
  let records: Map<string, PulledImage> | undefined;
  let saving: Promise<void> = Promise.resolve();

  const load = async (): Promise<Map<string, PulledImage>> => {
    if (records !== undefined) return records;
    const text = await readFile(config.file, 'utf8').catch(() => '{}');
    records ??= new Map(Object.entries(JSON.parse(text) as Record<string, PulledImage>));
    return records;
  };
  const save = (): Promise<void> => {
    saving = saving.then(async () => {
      await writeFile(`${config.file}.new`, JSON.stringify(Object.fromEntries(records ?? [])));
      await rename(`${config.file}.new`, config.file);
    });
    return saving;
  };

  return {
    notePulled: async (image) => {
      const known = await load();
      known.set(image.id, { pulledAtMs: clock.now(), lastUsedMs: clock.now() });
      await save();
    },
    collect: async (inUse) => {
      const known = await load();
      if (known.size === 0) return 0;
      const present = new Map((await images.listImages()).map((i) => [i.id, i]));
      for (const [id, r] of known) {
        const image = present.get(id);
        if (image === undefined) known.delete(id);
        else if (inUse.has(id) || [...image.repoTags, ...image.repoDigests].some((n) => inUse.has(n))) r.lastUsedMs = clock.now();
      }
      const fs = await images.imageFilesystem();
      let removed = 0;
      if (fs.usedBytes > fs.capacityBytes * highShare) {
        let excess = fs.usedBytes - fs.capacityBytes * lowShare;
        const candidates = [...known]
          .filter(([, r]) => clock.now() - r.lastUsedMs >= minAgeMs)
          .sort(([, a], [, b]) => a.lastUsedMs - b.lastUsedMs);
        for (const [id] of candidates) {
          if (excess <= 0) break;
          try {
            await images.removeImage(id);
            known.delete(id);
            excess -= present.get(id)?.sizeBytes ?? 0;
            removed += 1;
          } catch (error) {
            // A container of somebody else uses it.
            if (!isRuntimeError(error, 'conflict')) throw error;
          }
        }
        log.info({ removed }, 'removed unused images to free disk space');
      }
      await save();
      return removed;
    },
  };
}

import { statfs } from 'node:fs/promises';
import type { Image, ImageService } from '../image.ts';
import { RuntimeError } from '../runtime-error.ts';
import type { CriChannel } from './channel.ts';
import type { Int64Value, Strings, WireImage } from './messages.ts';

interface ImageStatusAnswer {
  readonly image: WireImage | null;
  readonly info: Strings;
}
interface VerboseImage {
  readonly imageSpec?: { readonly config?: { readonly Volumes?: Readonly<Record<string, object>> | null } };
}
interface FsInfoAnswer {
  readonly imageFilesystems: readonly { readonly fsId: { readonly mountpoint: string } | null; readonly usedBytes: Int64Value | null }[];
}

const volumesOf = (info: Strings): string[] =>
  info['info'] === undefined ? [] : Object.keys((JSON.parse(info['info']) as VerboseImage).imageSpec?.config?.Volumes ?? {});

const describe = (i: WireImage, volumes: readonly string[]): Image => ({
  id: i.id,
  repoTags: i.repoTags,
  repoDigests: i.repoDigests,
  sizeBytes: i.size,
  imageId: i.repoDigests[0] ?? i.id,
  ...(i.uid === null ? {} : { uid: i.uid.value }),
  ...(i.username === '' ? {} : { username: i.username }),
  volumes,
});

export function createRemoteImages(channel: CriChannel): ImageService {
  const call = channel.call<object>;
  const imageStatus: ImageService['imageStatus'] = async (name) => {
    const { image, info } = await channel.call<ImageStatusAnswer>(
      'ImageService',
      'ImageStatus',
      { image: { image: name }, verbose: true },
      { repeatable: true },
    );
    return image === null ? undefined : describe(image, volumesOf(info));
  };
  return {
    imageStatus,
    /** Without what images declare as volumes, which the list of the CRI does not tell. */
    listImages: async () => {
      const { images } = await channel.call<{ images: readonly WireImage[] }>('ImageService', 'ListImages', {}, { repeatable: true });
      return images.map((i) => describe(i, []));
    },
    pullImage: async (name, credentials, signal, from) => {
      if (from !== undefined)
        throw new RuntimeError('invalid', `the CRI can't fetch ${name} from ${from}: mirrors are the runtime's to know`);
      const { imageRef } = await channel.call<{ imageRef: string }>(
        'ImageService',
        'PullImage',
        { image: { image: name }, ...(credentials === undefined ? {} : { auth: credentials }) },
        { signal, timeoutMs: 'none' },
      );
      const image = (await imageStatus(imageRef)) ?? (await imageStatus(name));
      if (image === undefined) throw new RuntimeError('image-pull', `image ${name} was pulled as ${imageRef} and is gone`);
      return image;
    },
    removeImage: async (id) => {
      await call('ImageService', 'RemoveImage', { image: { image: id } });
    },
    imageFilesystem: async () => {
      const { imageFilesystems } = await channel.call<FsInfoAnswer>('ImageService', 'ImageFsInfo', {}, { repeatable: true });
      const found = imageFilesystems[0];
      const mountpoint = found?.fsId?.mountpoint ?? '';
      // The CRI tells what is used; what there is, this host knows.
      const fs = await statfs(mountpoint).catch((cause: Error) => {
        throw new RuntimeError('unavailable', `the runtime's image filesystem: ${cause.message}`, { cause });
      });
      return {
        mountpoint,
        usedBytes: found?.usedBytes?.value ?? 0,
        capacityBytes: fs.blocks * fs.bsize,
        availableBytes: fs.bavail * fs.bsize,
        inodes: fs.files,
        inodesFree: fs.ffree,
      };
    },
    extractImage: async (id) => {
      throw new RuntimeError(
        'invalid',
        `this container runtime can't mount images (${id}): image volumes need Docker Engine, containerd 2.1 or CRI-O 1.31`,
      );
    },
  };
}

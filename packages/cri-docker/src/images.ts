import { spawn } from 'node:child_process';
import { statfs } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ImageInspectInfo } from 'dockerode';
import { type Image, type ImageService, RuntimeError } from '@skiff/cri';
import type { DockerRuntimeConfig } from './config.ts';
import type { Engine } from './engine.ts';
import { asRuntimeError, unlessGone } from './engine-error.ts';
import type { EngineFactsReader } from './engine-facts.ts';
import { familiarName, familiarRepository, isImageId, parseImageName } from './image-name.ts';
import { pullImage } from './image-pull.ts';
import { labelNames } from './labels.ts';
import { removeQuietly } from './sandboxes.ts';

export interface DockerImages extends ImageService {
  /** The imageID that containers of image `id` report. */
  imageIdOf(id: string): Promise<string>;
}

/** `docker-pullable://` where the registry's digest is known (an image made here has none). */
const renderImageId = (id: string, repoDigests: readonly string[]): string =>
  repoDigests[0] === undefined ? `docker://${id}` : `docker-pullable://${repoDigests[0]}`;

function parseUser(user: string): { uid?: number; username?: string } {
  const name = user.split(':')[0] ?? '';
  if (name === '') return {};
  return /^\d+$/.test(name) ? { uid: Number(name) } : { username: name };
}

const known = (names: readonly string[] | null | undefined): string[] => (names ?? []).filter((n) => !n.startsWith('<none>'));

function describe(i: ImageInspectInfo): Image {
  const repoDigests = known(i.RepoDigests);
  return {
    id: i.Id,
    repoTags: known(i.RepoTags),
    repoDigests,
    sizeBytes: i.Size,
    imageId: renderImageId(i.Id, repoDigests),
    ...parseUser(i.Config?.User ?? ''),
    volumes: Object.keys(i.Config?.Volumes ?? {}),
  };
}

/** By tar itself: it knows devices, links and extended attributes. */
async function unpack(archive: Readable, directory: string, signal: AbortSignal): Promise<void> {
  const tar = spawn('tar', ['-x', '--numeric-owner', '-p', '-C', directory], { stdio: ['pipe', 'ignore', 'pipe'], signal });
  let said = '';
  tar.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const ended = new Promise<void>((resolve, reject) => {
    tar.once('error', reject);
    tar.once('close', (code) =>
      code === 0 ? resolve() : reject(new RuntimeError('internal', `unpacking the image failed: ${said.trim()}`)),
    );
  });
  ended.catch(() => undefined);
  await pipeline(archive, tar.stdin);
  await ended;
}

export function createImages(o: { engine: Engine; facts: EngineFactsReader; config: DockerRuntimeConfig }): DockerImages {
  const { engine } = o;
  /** Image IDs are content addresses, but digests come and go with pulls. */
  const imageIds = new Map<string, string>();

  const inspect = async (name: string): Promise<Image | undefined> => {
    const docker = await engine.docker();
    const found = await unlessGone(docker.getImage(name).inspect());
    if (found === undefined) return undefined;
    const image = describe(found);
    imageIds.set(image.id, image.imageId);
    return image;
  };
  const imageStatus = async (name: string): Promise<Image | undefined> => {
    const image = await inspect(name);
    if (image === undefined || isImageId(name)) return image;
    // The engine also takes the beginning of an ID for a name: `cafe` may be some other image.
    const familiar = familiarName(name);
    const hexadecimal = /^(sha256:)?[0-9a-f]+$/.test(name);
    return !hexadecimal || image.repoTags.includes(familiar) || image.repoDigests.includes(familiar) ? image : undefined;
  };

  /** Names with a digest can't be given: what has it is found by the other name. */
  const nameAs = async (from: string, name: string): Promise<void> => {
    const n = parseImageName(name);
    if (n.digest !== undefined) return;
    const docker = await engine.docker();
    await docker
      .getImage(from)
      .tag({ repo: familiarRepository(n), tag: n.tag ?? 'latest' })
      .catch((error: unknown) => {
        throw asRuntimeError(error);
      });
  };

  return {
    imageStatus,
    imageIdOf: async (id) => imageIds.get(id) ?? (await inspect(id))?.imageId ?? `docker://${id}`,
    listImages: async () => {
      const docker = await engine.docker();
      const all = await docker.listImages().catch((error: unknown) => {
        throw asRuntimeError(error);
      });
      return all.map((i): Image => {
        const repoDigests = known(i.RepoDigests);
        return {
          id: i.Id,
          repoTags: known(i.RepoTags),
          repoDigests,
          sizeBytes: i.Size,
          imageId: renderImageId(i.Id, repoDigests),
          volumes: [],
        };
      });
    },
    pullImage: async (name, credentials, signal, from = name) => {
      await pullImage({ engine, name: from, credentials, deadlineMs: o.config.pullProgressDeadlineMs, signal });
      if (from !== name) await nameAs(from, name);
      const image = (await imageStatus(name)) ?? (await imageStatus(from));
      if (image === undefined) throw new RuntimeError('image-pull', `the engine does not know ${name} after pulling it`);
      return image;
    },
    removeImage: async (id) => {
      const docker = await engine.docker();
      const image = await inspect(id);
      if (image === undefined) return;
      // The last name takes the image along; without tags it is known by digests, of which there may be several.
      const names = [...image.repoTags, ...image.repoDigests];
      for (const name of names.length > 0 ? names : [image.id]) await unlessGone(docker.getImage(name).remove());
      imageIds.delete(image.id);
    },
    extractImage: async (id, directory, signal) => {
      const docker = await engine.docker();
      // An image can only be read through a container, which is never started.
      const made = await docker
        .createContainer({ Image: id, Entrypoint: ['/'], Labels: { [labelNames.instance]: o.config.instance }, NetworkDisabled: true })
        .catch((error: unknown) => {
          throw asRuntimeError(error);
        });
      try {
        const archive = await engine.stream({ method: 'GET', path: `/containers/${made.id}/export`, signal });
        await unpack(archive, directory, signal);
      } finally {
        await removeQuietly(made.remove({ force: true, v: true }));
      }
    },
    imageFilesystem: async () => {
      const { rootDirectory } = await o.facts.get();
      // In a container the engine's directory may not be visible; the root then stands in for it.
      const fs = await statfs(rootDirectory).catch(() => statfs('/'));
      const capacityBytes = fs.blocks * fs.bsize;
      return {
        mountpoint: rootDirectory,
        capacityBytes,
        availableBytes: fs.bavail * fs.bsize,
        usedBytes: capacityBytes - fs.bfree * fs.bsize,
        inodes: fs.files,
        inodesFree: fs.ffree,
      };
    },
  };
}

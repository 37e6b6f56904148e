import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Image, ImageService, RegistryCredentials } from '../image.ts';
import { RuntimeError } from '../runtime-error.ts';

export interface FakeImages extends ImageService {
  /** Names that a pull finds. */
  readonly registry: Set<string>;
  readonly local: Set<string>;
  readonly pulls: { readonly name: string; readonly credentials: RegistryCredentials | undefined; readonly from?: string }[];
  /** Next pulls of this name throw it. */
  readonly failures: Map<string, RuntimeError>;
}

const describe = (name: string): Image => ({
  id: `sha256:${Buffer.from(name).toString('hex').padEnd(64, '0').slice(0, 64)}`,
  repoTags: [name],
  repoDigests: [],
  sizeBytes: 1000,
  imageId: `fake://${name}`,
  volumes: [],
});

export function createFakeImages(names: readonly string[]): FakeImages {
  const registry = new Set(names);
  const local = new Set<string>();
  const pulls: FakeImages['pulls'] = [];
  const failures = new Map<string, RuntimeError>();
  return {
    registry,
    local,
    pulls,
    failures,
    listImages: async () => [...local].map(describe),
    imageStatus: async (name) => {
      const known = [...local].find((n) => n === name || describe(n).id === name);
      return known === undefined ? undefined : describe(known);
    },
    pullImage: async (name, credentials, signal, from) => {
      signal.throwIfAborted();
      pulls.push({ name, credentials, ...(from === undefined ? {} : { from }) });
      const source = from ?? name;
      const failure = failures.get(source);
      if (failure !== undefined) throw failure;
      if (!registry.has(source)) throw new RuntimeError('image-missing', `manifest for ${source} not found`);
      local.add(name);
      return describe(name);
    },
    removeImage: async (id) => {
      for (const name of local) if (name === id || describe(name).id === id) local.delete(name);
    },
    extractImage: async (id, directory) => {
      const known = [...local].find((name) => name === id || describe(name).id === id);
      if (known === undefined) throw new RuntimeError('not-found', `no such image: ${id}`);
      await writeFile(path.join(directory, 'image'), `${known}\n`);
    },
    imageFilesystem: async () => ({
      mountpoint: '/fake',
      usedBytes: 1000,
      capacityBytes: 1e9,
      availableBytes: 1e9 - 1000,
      inodes: 1e6,
      inodesFree: 9e5,
    }),
  };
}

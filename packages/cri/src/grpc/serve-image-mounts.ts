import { mkdir, readdir, realpath, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Container, Mount } from '../container.ts';
import type { ContainerRuntime } from '../contract.ts';
import { RuntimeError } from '../runtime-error.ts';
import type { Strings } from './messages.ts';

/** Mounts of images (KEP-4639) for a runtime that only knows paths: what an image holds is unpacked once for all containers. */
export interface ImageMounts {
  /** There is a place for them. */
  readonly available: boolean;
  /**
   * Calls `create` with the mounts as paths of this host, and with annotations that tell of them. Throws `invalid` for what can't be
   * mounted, `not-found` for an image that is not there.
   */
  with<R>(
    mounts: readonly Mount[],
    create: (mounts: readonly Mount[], annotations: Strings) => Promise<R>,
    signal: AbortSignal,
  ): Promise<R>;
  /** Removes what no container mounts any more. */
  sweep(): Promise<void>;
}

interface Note extends NonNullable<Mount['image']> {
  readonly containerPath: string;
}

/** With the prefix of what the server notes for itself. */
export const imageMountsKey = 'io.skiff.served.image-mounts';

/** What can't be read (this server writes nothing of the kind) must not keep others from being listed. */
function notesOf(annotations: Strings): readonly Note[] {
  try {
    const found = JSON.parse(annotations[imageMountsKey] ?? '[]') as readonly Note[];
    return Array.isArray(found) && found.every((n: Partial<Note> | null) => typeof n?.id === 'string') ? found : [];
  } catch {
    return [];
  }
}

/** A container's mounts as its client named them. */
export function withImagesNamed(mounts: readonly Mount[], annotations: Strings): readonly Mount[] {
  const notes = new Map(notesOf(annotations).map(({ containerPath, ...image }) => [containerPath, image]));
  return mounts.map((m) => {
    const image = notes.get(m.containerPath);
    return image === undefined ? m : { ...m, hostPath: '', image };
  });
}

function check(m: Mount): void {
  const of = `the mount of an image at ${m.containerPath}`;
  if (m.hostPath !== '') throw new RuntimeError('invalid', `${of} has a host path as well`);
  if (!m.readOnly) throw new RuntimeError('invalid', `${of} is not read-only`);
  if (m.propagation !== 'private') throw new RuntimeError('invalid', `${of} can't be propagated`);
}

/** `directory` is this server's own; it outlives restarts, as containers do. Absent: such mounts are refused. */
export function createImageMounts(target: ContainerRuntime, directory: string | undefined): ImageMounts {
  // What is unpacked for a container that is being made must not be swept away: one after the other.
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <R>(work: () => Promise<R>): Promise<R> => {
    const mine = last.then(work);
    last = mine.catch(() => undefined);
    return mine;
  };
  const unpacked = async (base: string, id: string, signal: AbortSignal): Promise<string> => {
    const found = path.join(base, path.basename(id.replace(/^sha256:/, '')));
    const present = await stat(found).then(
      () => true,
      () => false,
    );
    if (present) return found;
    const half = `${found}.part`;
    await rm(half, { recursive: true, force: true });
    await mkdir(half);
    await target.images.extractImage(id, half, signal);
    await rename(half, found);
    return found;
  };
  const inside = async (root: string, image: Note): Promise<string> => {
    if (image.subPath === undefined) return root;
    const failed = (why: string): RuntimeError =>
      new RuntimeError('invalid', `image volume: ${why} of subPath "${image.subPath}" in ${image.reference}`);
    const found = await realpath(path.join(root, image.subPath)).catch((cause: NodeJS.ErrnoException) => {
      throw failed(cause.code ?? cause.message);
    });
    if (found !== root && !found.startsWith(`${root}/`)) throw failed('the image does not hold the target');
    return found;
  };
  const resolve = async (m: Mount, signal: AbortSignal): Promise<{ mount: Mount; note?: Note }> => {
    if (m.image === undefined) return { mount: m };
    if (directory === undefined) throw new RuntimeError('invalid', 'this server is not set up for mounts of images');
    check(m);
    const known = await target.images.imageStatus(m.image.id);
    if (known === undefined) throw new RuntimeError('not-found', `image ${m.image.id} of the mount at ${m.containerPath} is not there`);
    const note = { ...m.image, id: known.id, containerPath: m.containerPath };
    const { image: _, ...rest } = m;
    return { mount: { ...rest, hostPath: await inside(await unpacked(await absolute(directory), known.id, signal), note) }, note };
  };

  return {
    available: directory !== undefined,
    with: async (mounts, create, signal) => {
      if (mounts.every((m) => m.image === undefined)) return create(mounts, {});
      return inTurn(async () => {
        signal.throwIfAborted();
        const resolved: { mount: Mount; note?: Note }[] = [];
        for (const m of mounts) resolved.push(await resolve(m, signal));
        const notes = resolved.map((r) => r.note).filter((n) => n !== undefined);
        signal.throwIfAborted();
        return create(
          resolved.map((r) => r.mount),
          { [imageMountsKey]: JSON.stringify(notes) },
        );
      });
    },
    sweep: () =>
      inTurn(async () => {
        if (directory === undefined) return;
        const there = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
          if (error.code !== 'ENOENT') throw error;
          return [];
        });
        if (there.length === 0) return;
        const containers: readonly Container[] = await target.runtime.listContainers();
        const used = new Set(containers.flatMap((c) => notesOf(c.annotations)).map((n) => n.id.replace(/^sha256:/, '')));
        for (const name of there) if (!used.has(name)) await rm(path.join(directory, name), { recursive: true, force: true });
      }),
  };
}

/**
 * Made where it is not there, closed to this host's users: programs with other users' rights may lie in it. Links above it are no part
 * of what is compared.
 */
async function absolute(directory: string): Promise<string> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  return realpath(directory);
}

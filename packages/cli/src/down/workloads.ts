import { existsSync, lstatSync, readFileSync, readdirSync, readlinkSync, realpathSync, rmSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import Docker from 'dockerode';
import type { ClusterConfig } from '../config.ts';
import { kubeletDir } from '../host/kubelet-folder.ts';
import { openRemoteRuntime } from '../host/remote-runtime.ts';
import { run } from '../host/run.ts';
import { removeLogLinks } from './log-links.ts';

/** The label on everything that Skiff makes in Docker; its value is the instance. */
const instanceLabel = 'io.skiff.instance';

interface RemovedWorkloads {
  readonly removed: number;
  /** The engine says that it is removing them, and isn't done. */
  readonly stuck: number;
}

async function removeRemoteWorkloads(config: ClusterConfig): Promise<RemovedWorkloads> {
  const remote = await openRemoteRuntime(config, join(kubeletDir(config), 'pod-logs'));
  try {
    const containers = await remote.runtime.listContainers();
    const sandboxes = await remote.runtime.listPodSandbox();
    for (const s of sandboxes) {
      await remote.runtime.stopPodSandbox(s.id);
      await remote.runtime.removePodSandbox(s.id);
    }
    removeLogLinks(containers.map((c) => c.labels));
    await remote.removeTraces();
    return { removed: containers.length + sandboxes.length, stuck: 0 };
  } finally {
    remote.close();
  }
}

const goingPollMs = 100;

/**
 * Removes a container. One that somebody else has just asked the engine to remove (409) holds its image and is listed until it is
 * gone: that is waited for. Resolves with whether it is gone in time; throws what the engine says when it refuses.
 */
export async function untilGone(remove: () => Promise<unknown>, withinMs = 30_000): Promise<boolean> {
  const endMs = performance.now() + withinMs;
  for (;;) {
    try {
      await remove();
      return true;
    } catch (error) {
      const code = (error as { statusCode?: number }).statusCode;
      if (code === 404) return true;
      if (code !== 409) throw error;
      if (performance.now() > endMs) return false;
    }
    await new Promise((r) => setTimeout(r, goingPollMs));
  }
}

/** Removes every container of this cluster with the links to its log, and nothing else of the runtime. Resolves with how many there were. */
export async function removeWorkloads(config: ClusterConfig): Promise<RemovedWorkloads> {
  if (config.containerRuntimeEndpoint !== '') return removeRemoteWorkloads(config);
  const docker = new Docker({ socketPath: config.dockerSocket });
  const filters = { label: [`${instanceLabel}=${config.instance}`] };
  const containers = await docker.listContainers({ all: true, filters });
  const gone = await Promise.all(containers.map((c) => untilGone(() => docker.getContainer(c.Id).remove({ force: true, v: true }))));
  removeLogLinks(containers.map((c) => c.Labels));
  const removed = gone.filter((isGone) => isGone).length;
  return { removed, stuck: containers.length - removed };
}

/** The sandbox's image, made by Skiff on every engine it meets. */
const sandboxImage = 'skiff/pause:1';

/** Ids of the images that the kubelet fetched, from its own record. */
function fetchedImages(config: ClusterConfig): readonly string[] {
  const record = join(kubeletDir(config), 'pulled-images.json');
  return existsSync(record) ? Object.keys(JSON.parse(readFileSync(record, 'utf8')) as Record<string, unknown>) : [];
}

/** What to remove an image by: its names, or its id when it lost them to a newer one. */
const namesOf = (image: { Id: string; RepoTags: string[] | null | undefined }): readonly string[] => {
  const tags = (image.RepoTags ?? []).filter((t) => t !== '<none>:<none>');
  return tags.length === 0 ? [image.Id] : tags;
};

async function removeRemoteImages(config: ClusterConfig): Promise<number> {
  const remote = await openRemoteRuntime(config, join(kubeletDir(config), 'pod-logs'));
  try {
    const used = new Set((await remote.images.listImages()).map((i) => i.id));
    const fetched = fetchedImages(config).filter((id) => used.has(id));
    for (const id of fetched) await remote.images.removeImage(id);
    return fetched.length;
  } finally {
    remote.close();
  }
}

/** Removes the images that this cluster made or fetched and that nothing uses any more; the user's own stay. Returns how many went. */
export async function removeImages(config: ClusterConfig): Promise<number> {
  if (config.containerRuntimeEndpoint !== '') return removeRemoteImages(config);
  const docker = new Docker({ socketPath: config.dockerSocket });
  const labelled = await docker.listImages({ filters: { label: [`${instanceLabel}=${config.instance}`] } });
  let removed = 0;
  for (const image of [...labelled.flatMap(namesOf), ...fetchedImages(config), sandboxImage]) {
    try {
      await docker.getImage(image).remove();
      removed += 1;
    } catch (error) {
      // Gone already, or in use by somebody else's container or under another name.
      const code = (error as { statusCode?: number }).statusCode;
      if (code !== 404 && code !== 409) throw error;
    }
  }
  return removed;
}

/** Mount points below `folder`, deepest first. The system names them by where they really are: the folder may be behind a symbolic link. */
export function mountsBelow(folder: string, mountinfo: string): readonly string[] {
  const real = existsSync(folder) ? realpathSync(folder) : folder;
  const decode = (s: string): string => s.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
  return mountinfo
    .split('\n')
    .map((line) => decode(line.split(' ')[4] ?? ''))
    .filter((path) => path.startsWith(`${real}/`))
    .sort((a, b) => b.length - a.length);
}

/** This process and the engines of the host: where the kubelet may have mounted. One for each mount namespace. */
function mountNamespaces(): readonly string[] {
  const found = new Map<string, string>();
  for (const pid of ['self', ...readdirSync('/proc').filter((n) => /^\d+$/.test(n))]) {
    try {
      if (pid !== 'self' && readFileSync(`/proc/${pid}/comm`, 'utf8').trim() !== 'dockerd') continue;
      const namespace = readlinkSync(`/proc/${pid}/ns/mnt`);
      if (!found.has(namespace)) found.set(namespace, pid);
    } catch {
      continue; // ended while we looked
    }
  }
  return [...found.values()];
}

/** Nothing of a process that has ended: its mount namespace went with it, or is another's as well. */
export function mountinfoOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/mountinfo`, 'utf8');
  } catch (error) {
    // Of one that has ended and is not yet waited for, reading is invalid.
    if (['ENOENT', 'ESRCH', 'EINVAL'].includes((error as NodeJS.ErrnoException).code ?? '')) return '';
    throw error;
  }
}

/**
 * Lets go of everything mounted below the folder (volumes, subPaths), here and in the engine's mount namespace, so that removing the
 * folder can't reach beyond it. Throws when a mount stays.
 */
export async function unmountBelow(folder: string): Promise<void> {
  for (const pid of mountNamespaces()) {
    const mounts = (): readonly string[] => mountsBelow(folder, mountinfoOf(pid));
    for (let round = 0; round < 5 && mounts().length > 0; round++) {
      for (const path of mounts()) {
        if (pid === 'self') await run('umount', ['--no-canonicalize', path]);
        else await run('nsenter', ['--target', pid, '--mount', 'umount', '--no-canonicalize', path]);
      }
    }
    if (mounts().length > 0) throw new Error(`these are still mounted and in use: ${mounts().join(', ')}`);
  }
}

/** Removes folders that nobody has put anything into; others stay. */
export function removeEmptyFolders(folders: readonly string[]): void {
  for (const folder of folders) {
    try {
      rmdirSync(folder);
    } catch (error) {
      if (!['ENOENT', 'ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
  }
}

/** Removes the folder; where it is itself mounted (in a container) or somebody's symbolic link, all that is in it. */
export function removeFolder(folder: string): void {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true });
  if (lstatSync(folder).isSymbolicLink()) return;
  try {
    rmdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EBUSY') throw error;
  }
}

import { mkdir, readdir, readlink, rm, rmdir, stat, symlink } from 'node:fs/promises';
import path from 'node:path';
import type { Logger } from '@skiff/component-base';
import type { ContainerStatus } from '@skiff/cri';
import type { PodSnapshot } from '../pod/pod-snapshot.ts';

/** Links by which log agents find containers' logs, in the places and under the names they know from other runtimes. */
export interface LogLinks {
  /** Makes the links of containers that have none yet; nothing where the runtime keeps no file. Never throws. */
  link(pod: PodSnapshot, containers: readonly ContainerStatus[]): Promise<void>;
  /** Removes all links of a pod. */
  unlink(pod: PodSnapshot): Promise<void>;
  /** Removes links whose files are gone: of pods that were removed while nobody looked. */
  sweep(): Promise<void>;
}

const list = async (directory: string): Promise<string[]> =>
  (await readdir(directory).catch(() => [] as string[])).map((name) => path.join(directory, name));
const isDangling = (link: string): Promise<boolean> =>
  Promise.all([readlink(link), stat(link).catch(() => undefined)]).then(
    ([, target]) => target === undefined,
    () => false,
  );
const replace = async (target: string, link: string): Promise<void> => {
  await rm(link, { force: true });
  await symlink(target, link);
};

/**
 * <pods>/<namespace>_<pod>_<uid>/<container>/<attempt>.log → the runtime's file
 * <containers>/<pod>_<namespace>_<container>-<id>.log → the above
 */
export function createLogLinks(
  config: { readonly podsDirectory: string; readonly containersDirectory: string },
  deps: { readonly log: Logger },
): LogLinks {
  const directoryOf = (pod: PodSnapshot): string =>
    path.join(config.podsDirectory, `${pod.metadata.namespace}_${pod.metadata.name}_${pod.metadata.uid}`);
  const prefixOf = (pod: PodSnapshot): string => `${pod.metadata.name}_${pod.metadata.namespace}_`;
  const linked = new Map<string, string>();
  const linkOne = async (pod: PodSnapshot, c: ContainerStatus): Promise<void> => {
    if (c.logPath === undefined || c.logPath === '') return;
    const directory = path.join(directoryOf(pod), c.metadata.name);
    await mkdir(directory, { recursive: true });
    await mkdir(config.containersDirectory, { recursive: true });
    const link = path.join(directory, `${c.metadata.attempt}.log`);
    await replace(c.logPath, link);
    await replace(link, path.join(config.containersDirectory, `${prefixOf(pod)}${c.metadata.name}-${c.id}.log`));
  };
  return {
    link: async (pod, containers) => {
      for (const c of containers) {
        if (c.startedAtMs === 0 || linked.has(c.id)) continue;
        linked.set(c.id, pod.metadata.uid);
        // A sweep may just have removed a directory that was still empty: then once more.
        await linkOne(pod, c)
          .catch(() => linkOne(pod, c))
          .catch((error: unknown) => deps.log.warn({ err: error, container: c.id }, 'the links to a log could not be made'));
      }
    },
    sweep: async () => {
      for (const pod of await list(config.podsDirectory)) {
        for (const container of await list(pod)) {
          for (const link of await list(container)) if (await isDangling(link)) await rm(link, { force: true });
          await rmdir(container).catch(() => undefined);
        }
        await rmdir(pod).catch(() => undefined);
      }
      for (const link of await list(config.containersDirectory)) if (await isDangling(link)) await rm(link, { force: true });
    },
    unlink: async (pod) => {
      const directory = directoryOf(pod);
      for (const [id, uid] of linked) if (uid === pod.metadata.uid) linked.delete(id);
      for (const name of await readdir(config.containersDirectory).catch(() => [] as string[])) {
        if (!name.startsWith(prefixOf(pod))) continue;
        const link = path.join(config.containersDirectory, name);
        // Another pod of that name has a directory of its own.
        if ((await readlink(link).catch(() => '')).startsWith(`${directory}/`)) await rm(link, { force: true });
      }
      await rm(directory, { recursive: true, force: true });
    },
  };
}

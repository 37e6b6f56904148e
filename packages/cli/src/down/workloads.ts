import { readFileSync } from 'node:fs';
import Docker from 'dockerode';
import type { ClusterConfig } from '../config.ts';
import { run } from '../host/run.ts';

/** The label on everything that Skiff makes in Docker; its value is the instance. */
const instanceLabel = 'io.skiff.instance';

/** Removes every container of this cluster, and nothing else of the engine. Returns how many there were. */
export async function removeWorkloads(config: ClusterConfig): Promise<number> {
  const docker = new Docker({ socketPath: config.dockerSocket });
  const filters = { label: [`${instanceLabel}=${config.instance}`] };
  const containers = await docker.listContainers({ all: true, filters });
  await Promise.all(
    containers.map(async (c) => {
      try {
        await docker.getContainer(c.Id).remove({ force: true, v: true });
      } catch (error) {
        // Gone or just going: what was wanted.
        const code = (error as { statusCode?: number }).statusCode;
        if (code !== 404 && code !== 409) throw error;
      }
    }),
  );
  return containers.length;
}

/** Images that Skiff made or pulled carry the label or stand in its records; images of the user stay. */
export async function removeImages(config: ClusterConfig): Promise<number> {
  const docker = new Docker({ socketPath: config.dockerSocket });
  const images = await docker.listImages({ filters: { label: [`${instanceLabel}=${config.instance}`] } });
  for (const image of images) await docker.getImage(image.Id).remove({ force: true });
  return images.length;
}

/** Mount points at or below `folder`, deepest first. */
export function mountsBelow(folder: string, mountinfo: string): readonly string[] {
  const decode = (s: string): string => s.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
  return mountinfo
    .split('\n')
    .map((line) => decode(line.split(' ')[4] ?? ''))
    .filter((path) => path === folder || path.startsWith(`${folder}/`))
    .sort((a, b) => b.length - a.length);
}

/** Lets go of everything mounted below the folder (volumes, subPaths), so that removing it can't reach beyond. Throws when a mount stays. */
export async function unmountBelow(folder: string): Promise<void> {
  for (let round = 0; round < 5; round++) {
    const mounts = mountsBelow(folder, readFileSync('/proc/self/mountinfo', 'utf8'));
    if (mounts.length === 0) return;
    for (const path of mounts) await run('umount', ['--no-canonicalize', path]);
  }
  const left = mountsBelow(folder, readFileSync('/proc/self/mountinfo', 'utf8'));
  if (left.length > 0) throw new Error(`these are still mounted and in use: ${left.join(', ')}`);
}

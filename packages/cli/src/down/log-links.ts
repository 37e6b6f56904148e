import { existsSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { join } from 'node:path';

export type Labels = Readonly<Record<string, string>>;

/** Name of the folder in which the kubelet links a pod's logs; undefined for what is no pod's container. */
function folderOf(labels: Labels): string | undefined {
  const parts = ['namespace', 'name', 'uid'].map((part) => labels[`io.kubernetes.pod.${part}`] ?? '');
  return parts.every((p) => p !== '' && !p.includes('/')) ? parts.join('_') : undefined;
}

/** Removes the kubelet's links to the logs of these containers: folders of their pods, and what points into them. */
export function removeLogLinks(
  containers: readonly Labels[],
  o = { podsDirectory: '/var/log/pods', containersDirectory: '/var/log/containers' },
): void {
  const folders = new Set(containers.flatMap((labels) => folderOf(labels) ?? []).map((name) => join(o.podsDirectory, name)));
  if (existsSync(o.containersDirectory)) {
    for (const entry of readdirSync(o.containersDirectory, { withFileTypes: true })) {
      if (!entry.isSymbolicLink()) continue;
      const link = join(o.containersDirectory, entry.name);
      // <folder>/<container>/<attempt>.log
      if (folders.has(join(readlinkSync(link), '../..'))) rmSync(link, { force: true });
    }
  }
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
}

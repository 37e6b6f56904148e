import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ClusterConfig } from '../config.ts';

/** Where the manifests of storage drivers, device plugins and agents look for a kubelet. */
export const wellKnownKubeletDir = '/var/lib/kubelet';

/** The kubelet's root directory: pods, plugins, volumes of the class local-path. */
export const kubeletDir = (config: Pick<ClusterConfig, 'rootDir' | 'kubeletDir'>): string =>
  (config.kubeletDir ?? '') === '' ? join(config.rootDir, 'kubelet') : config.kubeletDir;

/** Pods with hostPath volumes make these before there is a kubelet; a disk of its own comes with the last. */
const harmless: ReadonlySet<string> = new Set(['device-plugins', 'plugins', 'plugins_registry', 'lost+found']);

/** Whether another kubelet keeps, or has kept, its pods in the folder. */
export function isTaken(folder: string): boolean {
  try {
    return readdirSync(folder).some((name) => !harmless.has(name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    // A file, say: nothing that a kubelet could use.
    return true;
  }
}

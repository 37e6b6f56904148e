import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ClusterConfig } from '../config.ts';
import { UserError } from '../user-error.ts';

/** Where the manifests of storage drivers, device plugins and agents look for a kubelet. */
export const wellKnownKubeletDir = '/var/lib/kubelet';

/** The kubelet's root directory: pods, plugins, volumes of the class local-path. */
export const kubeletDir = (config: Pick<ClusterConfig, 'rootDir' | 'kubeletDir'>): string =>
  (config.kubeletDir ?? '') === '' ? join(config.rootDir, 'kubelet') : config.kubeletDir;

/**
 * A kubelet in a container (docker compose) sees of the host rootDir and Docker's socket alone: pods of a cluster that `up` has started with more
 * than these would get empty volumes. Throws UserError.
 */
export function checkForContainers(config: Pick<ClusterConfig, 'rootDir' | 'kubeletDir' | 'containerRuntimeEndpoint'>): void {
  const isInside = `${kubeletDir(config)}/`.startsWith(`${config.rootDir}/`);
  if (isInside && (config.containerRuntimeEndpoint ?? '') === '') return;
  throw new UserError(
    `The cluster in ${config.rootDir} is one of \`npm run up\`: its kubelet uses ${isInside ? config.containerRuntimeEndpoint : kubeletDir(config)}, ` +
      'which containers of docker compose do not see. Start it with `npm run up`, or remove it first (npm run down -- --wipe).',
    'conflict',
  );
}

/** Pods with hostPath volumes make these before there is a kubelet; a disk of its own comes with `lost+found`. The files are the host's owner's. */
const harmless: ReadonlySet<string> = new Set([
  'device-plugins',
  'plugins',
  'plugins_registry',
  'lost+found',
  'config.json',
  'registry-mirrors.yaml',
]);

/** What the kubelet knows of other nodes; no other kubelet has such a file. */
const ownFile = 'nodes.json';

/**
 * Whether another kubelet keeps, or has kept, its pods in the folder, or it is a symbolic link, by which drivers would not find what the
 * kubelet tells them. One of a host that lost all else of Skiff is its own.
 */
export function isTaken(folder: string): boolean {
  try {
    if (lstatSync(folder).isSymbolicLink()) return true;
    const names = readdirSync(folder);
    return !names.includes(ownFile) && names.some((name) => !harmless.has(name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    // A file, say: nothing that a kubelet could use.
    return true;
  }
}

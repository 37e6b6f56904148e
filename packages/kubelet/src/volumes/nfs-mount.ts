import type { NFSVolumeSource } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import type { HostMount } from '../host/host-mount.ts';

export interface NfsMount {
  /** An existing directory. */
  readonly target: string;
  readonly readOnly: boolean;
  readonly mountOptions: readonly string[];
  readonly hostMount: HostMount;
}

/** Of host names and addresses, these in brackets where they have colons. What begins otherwise could be an option to mount(8). */
const serverForm = /^[A-Za-z0-9[][A-Za-z0-9.:[\]%_-]*$/;

/** Mounts an export by the node's own mount.nfs. Throws, with what is to be installed, where the node has none. */
export async function mountNfs(source: DeepReadonly<NFSVolumeSource>, o: NfsMount): Promise<void> {
  const { hostMount, target } = o;
  if ((await hostMount.mountsBelow(target)).includes(target)) return;
  const programs = await Promise.all(['/sbin/mount.nfs', '/usr/sbin/mount.nfs'].map((p) => hostMount.typeOf(p)));
  if (!programs.includes('file'))
    throw new Error('this node has no /sbin/mount.nfs (Debian: package nfs-common), so it mounts no nfs volumes');
  // IPv6 addresses stand in brackets before the path.
  const server = source.server.includes(':') && !source.server.startsWith('[') ? `[${source.server}]` : source.server;
  if (!serverForm.test(server)) throw new Error(`nfs server "${source.server}" is neither a host name nor an IP address`);
  await hostMount.mount({
    type: 'nfs',
    source: `${server}:${source.path}`,
    target,
    options: [...(o.readOnly ? ['ro'] : []), ...o.mountOptions],
  });
}

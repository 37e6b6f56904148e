import { mkdir } from 'node:fs/promises';
import type { HostMount } from '../host/host-mount.ts';

/**
 * Makes a directory for a volume, with those above it. What is mounted there already is not looked at: a server that is gone would keep
 * whoever asks for ever.
 */
export async function makeMountPoint(target: string, hostMount: HostMount, mode?: number): Promise<void> {
  if ((await hostMount.mountsBelow(target)).includes(target)) return;
  await mkdir(hostMount.local(target), { recursive: true, ...(mode === undefined ? {} : { mode }) });
}

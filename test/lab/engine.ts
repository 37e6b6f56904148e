import { join } from 'node:path';
import { unpackUnstable } from '../../scripts/install-kubectl.mjs';

/** `20.10`: the distribution's, as installed. `28`: Debian unstable's, unpacked and not installed. `none`: a machine without an engine. */
export type EngineVersion = '20.10' | '28' | 'none';

/** Folders that come first in a host's PATH. Unpacks on first use (some seconds, then kept). */
export function enginePath(version: EngineVersion): readonly string[] {
  if (version !== '28') return [];
  // runc is the distribution's: unstable's wants a newer libc.
  return ['docker.io', 'containerd', 'tini-static', 'docker-cli']
    .map((name) => unpackUnstable(name))
    .flatMap((folder) => [join(folder, 'usr/sbin'), join(folder, 'usr/bin')]);
}

import { readFile } from 'node:fs/promises';
import type { Logger } from '@skiff/component-base';
import { writeStateFile } from '../../host/state-file.ts';
import type { Path } from './choose-path.ts';
import { isUsablePeer, type Peer } from './peer.ts';

/** What the network needs while the control plane is away: after a restart of the kubelet or of the host. */
export interface RememberedNodes {
  readonly podCidrs: readonly string[];
  readonly peers: readonly (Peer & { readonly path: Path })[];
}

export async function loadNodes(file: string, log: Logger): Promise<RememberedNodes | undefined> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  try {
    const value = JSON.parse(text) as Partial<RememberedNodes>;
    if (Array.isArray(value.podCidrs) && Array.isArray(value.peers)) {
      const peers = value.peers.filter(isUsablePeer);
      if (peers.length < value.peers.length) log.warn({ file }, 'some of the remembered nodes are not usable; they are learnt anew');
      return { podCidrs: value.podCidrs, peers };
    }
    log.warn({ file }, 'what was remembered of other nodes is not usable; it is learnt anew');
  } catch (error) {
    log.warn({ err: error, file }, 'what was remembered of other nodes is not readable; it is learnt anew');
  }
  return undefined;
}

export const saveNodes = (file: string, nodes: RememberedNodes): Promise<void> => writeStateFile(file, nodes, 0o600);

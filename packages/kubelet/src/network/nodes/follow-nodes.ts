import type { Node } from '@skiff/api';
import type { Informer } from '@skiff/client';
import type { Logger } from '@skiff/component-base';
import type { RuntimeService } from '@skiff/cri';
import type { NetworkOwner, PodNetwork } from '../pod-network.ts';
import { judgeNodes } from './peer.ts';

/** Tells the network of the other nodes, from the first complete list on: an incomplete one would take routes away. */
export function followNodes(
  informer: Informer<Node>,
  o: { readonly self: string; readonly clusterCidrs: readonly string[]; readonly nodeAddress: string; readonly log: Logger },
  network: Pick<PodNetwork, 'setPeers' | 'podCidrs'>,
): void {
  let synced = false;
  /** Told once, until something else is refused. */
  let told = '';
  const tell = (): void => {
    if (!synced) return;
    const { peers, refused } = judgeNodes(informer.list(), { ...o, ownCidrs: network.podCidrs() });
    if (refused.join() !== told && refused.length > 0) o.log.warn({ refused }, 'ranges of other nodes that get no routes');
    told = refused.join();
    network.setPeers(peers);
  };
  informer.subscribe({ onAdd: tell, onUpdate: tell, onDelete: tell });
  void informer.synced.then(() => {
    synced = true;
    tell();
  });
}

/** Sandboxes with a network of their own, each with a process in it. */
export async function runningSandboxes(runtime: RuntimeService): Promise<readonly { owner: NetworkOwner; pid: number }[]> {
  const ready = (await runtime.listPodSandbox()).filter((s) => s.state === 'ready');
  const found = await Promise.all(
    ready.map(async (s) => {
      const { pid, namespaces } = await runtime.podSandboxStatus(s.id);
      return pid === undefined || namespaces.network === 'node'
        ? []
        : [{ owner: { uid: s.metadata.uid, attempt: s.metadata.attempt }, pid }];
    }),
  );
  return found.flat();
}

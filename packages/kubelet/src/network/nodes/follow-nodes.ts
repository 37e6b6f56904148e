import type { Node } from '@skiff/api';
import type { Informer } from '@skiff/client';
import type { RuntimeService } from '@skiff/cri';
import type { NetworkOwner, PodNetwork } from '../pod-network.ts';
import { peersOf } from './peer.ts';

/** Tells the network of the other nodes, from the first complete list on: an incomplete one would take routes away. */
export function followNodes(
  informer: Informer<Node>,
  o: { readonly self: string; readonly clusterCidrs: readonly string[] },
  network: Pick<PodNetwork, 'setPeers'>,
): void {
  let synced = false;
  const tell = (): void => {
    if (synced) network.setPeers(peersOf(informer.list(), o.self, o.clusterCidrs));
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

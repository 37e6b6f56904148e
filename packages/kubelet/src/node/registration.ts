import type { Node } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import type { Client, EventRecorder, Informer } from '@skiff/client';
import type { Clock, Logger } from '@skiff/component-base';
import { podCidrsOf } from '../network/nodes/peer.ts';
import type { PodNetwork } from '../network/pod-network.ts';
import type { createApiContact } from './api-contact.ts';
import { renewNodeLease } from './lease.ts';
import { nodeReference, type NodeReporter } from './node-reporter.ts';

/**
 * Makes the Node, or takes it over, and keeps it and its lease alive. The pod network learns its range from the Node as soon as that
 * says it, unless the node was told one. `run` resolves when `signal` aborts.
 */
export function createRegistration(
  config: { readonly nodeName: string; readonly podCidrs: readonly string[]; readonly leaseDurationMs: number },
  deps: {
    readonly client: Client;
    readonly informer: Informer<Node>;
    readonly node: NodeReporter;
    readonly network: PodNetwork;
    readonly events: EventRecorder;
    readonly contact: ReturnType<typeof createApiContact>;
    readonly clock: Clock;
    readonly log: Logger;
  },
): { run(signal: AbortSignal): Promise<void> } {
  const { client, node, network, clock, log } = deps;
  const learnCidr = (n: DeepReadonly<Node>): void => {
    const cidrs = config.podCidrs.length > 0 ? config.podCidrs : podCidrsOf(n);
    if (cidrs.length === 0) return;
    const { ready } = network.status();
    network.setPodCidrs(cidrs);
    if (!ready) node.poke();
  };
  if (config.podCidrs.length > 0) learnCidr({});
  deps.informer.subscribe({ onAdd: learnCidr, onUpdate: learnCidr });

  const lease = (signal: AbortSignal): Promise<void> =>
    renewNodeLease(
      {
        nodeName: config.nodeName,
        nodeUid: () => node.current()?.metadata?.uid,
        durationSeconds: config.leaseDurationMs / 1000,
        renewIntervalMs: config.leaseDurationMs / 4,
        renewed: () => deps.contact.noteAnswer(),
      },
      { client, clock, log },
      signal,
    );
  const watchReadiness = async (signal: AbortSignal): Promise<void> => {
    while (!signal.aborted && !network.status().ready) await clock.sleep(20, signal).catch(() => undefined);
    node.poke();
  };
  return {
    run: async (signal) => {
      learnCidr(await node.register(signal));
      deps.events.event(nodeReference(config.nodeName), 'Normal', 'Starting', 'Starting kubelet.');
      // Once the network is up, say so without waiting for the next turn.
      void watchReadiness(signal);
      await Promise.all([node.run(signal), lease(signal)]);
    },
  };
}

import { lease as leases, node as nodes, type Lease } from '@skiff/api';
import { hasReason } from '@skiff/apimachinery';
import { aborted } from '@skiff/component-base';
import { findCondition } from '../conditions.ts';
import type { ControllerDescriptor, RunContext } from '../descriptor.ts';
import { SilenceCounter } from '../node-lifecycle/removal.ts';
import type { NodeView } from '../node-lifecycle/taints.ts';

const leaseNamespace = 'kube-node-lease';

/**
 * Removes nodes whose hosts are gone for good. A cloud's controller asks the cloud; here a host counts as gone when it has been
 * silent for as long as whoever set the flag says. See docs/decisions/cloud-loops.md.
 */
export const cloudNodeLifecycleController: ControllerDescriptor = {
  name: 'cloud-node-lifecycle-controller',
  run: async (context, signal) => {
    const { clock, config, informers } = context;
    if (config.nodeRemovalAfterMs === 0) return aborted(signal);
    const informer = informers.informer(nodes);
    await Promise.race([informer.synced, aborted(signal)]);
    /** Last sign of life of each node that is about to be removed, as it was a round before. */
    const suspects = new Map<string, string>();
    const counter = new SilenceCounter();
    const periodMs = config.nodeMonitorPeriodMs;
    /** When the API has last answered. */
    let seenAtMs: number | undefined;
    while (!signal.aborted) {
      const nowMs = clock.monotonicMs();
      // An outage of the API is nobody's silence: nothing counts from the last answer before it.
      const answers = !counter.waiting || (await canRead(context, signal));
      const passedMs = answers && seenAtMs !== undefined ? Math.min(nowMs - seenAtMs, 1.5 * periodMs) : 0;
      seenAtMs = answers ? nowMs : undefined;
      if (answers) {
        for (const node of counter.look(informer.list(), passedMs, config.nodeRemovalAfterMs)) {
          await remove(context, { cached: node, suspects }, signal).catch((error: unknown) => {
            if (!signal.aborted) context.log.warn({ err: error, node: node.metadata?.name }, 'a node could not be removed; trying again');
          });
        }
      }
      await clock.sleep(periodMs, signal).catch(() => undefined);
    }
  },
};

const canRead = ({ client }: RunContext, signal: AbortSignal): Promise<boolean> =>
  client.get(leases, { namespace: leaseNamespace, name: 'nobody' }, { signal }).then(
    () => true,
    (error: unknown) => hasReason(error, 'NotFound'),
  );

/** Asked of the API itself, twice a period apart: the cache may be what has gone deaf, and the host may just have come back. */
async function remove(
  { client, config, events, log }: RunContext,
  { cached, suspects }: { cached: NodeView; suspects: Map<string, string> },
  signal: AbortSignal,
): Promise<void> {
  const name = cached.metadata?.name ?? '';
  const node = await client.get(nodes, { name }, { signal }).catch(absent);
  const lease = await client.get<Lease>(leases, { namespace: leaseNamespace, name }, { signal }).catch(absent);
  const uid = node?.metadata?.uid;
  if (node === undefined || uid === undefined || uid !== cached.metadata?.uid) return;
  const sign = `${uid} ${lease?.spec?.renewTime ?? ''}`;
  const before = suspects.get(name);
  suspects.set(name, sign);
  if (before !== sign || findCondition(node.status?.conditions ?? [], 'Ready')?.status !== 'Unknown') return;
  events.event(
    node,
    'Normal',
    'DeletingNode',
    `Deleting node ${name} because its host has been silent for longer than --node-removal-after`,
  );
  log.warn({ node: name, afterMs: config.nodeRemovalAfterMs }, 'removing a node whose host is gone');
  const preconditions = { uid, resourceVersion: node.metadata?.resourceVersion ?? '' };
  await client.delete(nodes, { name }, { preconditions, signal });
  suspects.delete(name);
}

const absent = (error: unknown): undefined => {
  if (!hasReason(error, 'NotFound')) throw error;
  return undefined;
};

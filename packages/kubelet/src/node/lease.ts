import { lease as leases, type Lease } from '@skiff/api';
import { hasReason } from '@skiff/apimachinery';
import type { Client } from '@skiff/client';
import { childSignal, type Clock, formatMicroTime, type Logger } from '@skiff/component-base';

export interface LeaseConfig {
  readonly nodeName: string;
  /** undefined: there is no Node, so nothing to tell. */
  readonly nodeUid: () => string | undefined;
  readonly durationSeconds: number;
  readonly renewIntervalMs: number;
  /** Told of each success. */
  readonly renewed: () => void;
}

const namespace = 'kube-node-lease';

/**
 * Tells the control plane that the node lives, by one small write each interval. Without a Node there is no Lease: nobody would
 * remove it.
 */
export async function renewNodeLease(
  config: LeaseConfig,
  deps: { client: Client; clock: Clock; log: Logger },
  signal: AbortSignal,
): Promise<void> {
  const { client, clock, log } = deps;
  const key = { namespace, name: config.nodeName };
  let current: Lease | undefined;

  const renew = async (signal: AbortSignal): Promise<void> => {
    const renewTime = formatMicroTime(clock.now());
    if (current === undefined) {
      current = await client.get(leases, key, { signal }).catch((error: unknown) => {
        if (hasReason(error, 'NotFound')) return undefined;
        throw error;
      });
    }
    const uid = config.nodeUid();
    const spec = { ...current?.spec, holderIdentity: config.nodeName, leaseDurationSeconds: config.durationSeconds, renewTime };
    if (current === undefined) {
      if (uid === undefined) return;
      const ownerReferences = [{ apiVersion: 'v1', kind: 'Node', name: config.nodeName, uid }];
      current = await client.create<Lease>(leases, { metadata: { name: config.nodeName, namespace, ownerReferences }, spec }, { signal });
    } else current = await client.update<Lease>(leases, { ...current, spec }, { signal });
  };

  while (!signal.aborted) {
    let waitMs = config.renewIntervalMs;
    try {
      // A server that takes the request and never answers must not cost more than one interval.
      using attempt = childSignal(signal, config.renewIntervalMs);
      await renew(attempt.signal);
      config.renewed();
    } catch (error) {
      if (signal.aborted) return;
      // Somebody else wrote it, or it is gone: read it again.
      current = undefined;
      waitMs = hasReason(error, 'Conflict') || hasReason(error, 'NotFound') ? 200 : Math.min(waitMs, 2000);
      log.warn({ err: error }, 'the node lease could not be renewed');
    }
    await clock.sleep(waitMs * (1 + Math.random() * 0.04), signal).catch(() => undefined);
  }
}

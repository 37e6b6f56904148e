import { randomInt } from 'node:crypto';
import type { Clock, Logger } from '@skiff/component-base';
import { isLeaseGone } from './etcd-errors.ts';
import { decodeLeaseKeepAlive, encodeLeaseGrant, encodeLeaseId } from './etcd-messages.ts';
import type { EtcdRpc } from './etcd-rpc.ts';

/** Leases whose ids stay below 2^48 are ours to name: no number needs more than a double. */
const maxLeaseId = 2 ** 48 - 1;
const retryMs = 1_000;

interface Holding {
  readonly key: string;
  readonly value: Buffer;
  readonly ttlSeconds: number;
  readonly signal: AbortSignal;
}
interface HoldDeps {
  readonly rpc: EtcdRpc;
  readonly store: { putUnderLease(key: string, value: Buffer, lease: number): Promise<void> };
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * DurableStore.hold by an etcd lease of its own. Keep-alives are no writes: etcd's leader notes them in memory. A new leader gives every
 * lease its whole time again.
 */
export async function holdKey(o: Holding, deps: HoldDeps): Promise<void> {
  const { clock, log } = deps;
  const pause = (ms: number): Promise<void> => clock.sleep(ms, o.signal).catch(() => undefined);
  let lease: number | undefined;
  while (!o.signal.aborted) {
    try {
      if (lease === undefined) {
        const fresh = randomInt(1, maxLeaseId);
        await deps.rpc.unary('/etcdserverpb.Lease/LeaseGrant', encodeLeaseGrant(fresh, o.ttlSeconds));
        await deps.store.putUnderLease(o.key, o.value, fresh);
        lease = fresh;
      } else if ((await keepAlive(deps.rpc, lease, o.signal)) === 0 && !o.signal.aborted) {
        log.info({ key: o.key }, 'the lease has expired; taking another');
        lease = undefined;
        continue;
      }
      await pause((o.ttlSeconds * 1000) / 3);
    } catch (error) {
      if (isLeaseGone(error)) lease = undefined;
      log.debug({ err: error, key: o.key }, 'the key could not be kept; trying again');
      await pause(retryMs);
    }
  }
  if (lease === undefined) return;
  try {
    await deps.rpc.unary('/etcdserverpb.Lease/LeaseRevoke', encodeLeaseId(lease));
  } catch (error) {
    log.debug({ err: error, key: o.key }, 'the lease could not be revoked; it will expire');
  }
}

/** Seconds that are left; 0: the lease is gone. */
async function keepAlive(rpc: EtcdRpc, lease: number, signal: AbortSignal): Promise<number> {
  for await (const [message] of rpc.stream('/etcdserverpb.Lease/LeaseKeepAlive', encodeLeaseId(lease), signal))
    if (message !== undefined) return decodeLeaseKeepAlive(message);
  return 0;
}

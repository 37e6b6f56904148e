import type { Lease } from '@skiff/api';
import { hasReason, type ObjectKey, type ResourceRef } from '@skiff/apimachinery';
import { childSignal, formatMicroTime, type Clock, type Logger } from '@skiff/component-base';
import type { Client } from './contract.ts';

const leases: ResourceRef<Lease> = { group: 'coordination.k8s.io', version: 'v1', kind: 'Lease', plural: 'leases', scope: 'Namespaced' };

export interface LeaderElectionConfig {
  readonly lease: ObjectKey;
  /** Unique to this process. */
  readonly identity: string;
  /** Others wait this long after they last saw a renewal. Default 15 s. */
  readonly leaseDurationMs?: number;
  /** The leader gives up when it could not renew for this long. Default 10 s. */
  readonly renewDeadlineMs?: number;
  /** Default 2 s. */
  readonly retryPeriodMs?: number;
  /** Hands the lease over at the end instead of letting it expire. Only where nothing goes on after `lead` has resolved. */
  readonly releaseOnCancel?: boolean;
}

export interface LeaderElector {
  /**
   * Campaigns, and runs `lead` while this process is the leader; its signal aborts when the lease is lost. Resolves when `lead`
   * has: `stopped` on the caller's signal, `lost` when the lease is gone.
   */
  run(lead: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<'stopped' | 'lost'>;
  readonly isLeader: boolean;
  /** Identity of the last leader seen; '' before. */
  readonly leader: string;
}

const acquireJitter = 1.2;

/** client-go's algorithm: what counts is when a change of the record was seen, by this process's clock, never the times in it. */
export function createLeaderElector(
  config: LeaderElectionConfig,
  deps: { client: Client; clock: Clock; log: Logger; random?: () => number },
): LeaderElector {
  const { client, clock } = deps;
  const log = deps.log.child({ lease: `${config.lease.namespace ?? ''}/${config.lease.name}` });
  const random = deps.random ?? Math.random;
  const leaseDurationMs = config.leaseDurationMs ?? 15_000;
  const renewDeadlineMs = config.renewDeadlineMs ?? 10_000;
  const retryPeriodMs = config.retryPeriodMs ?? 2_000;
  if (!(leaseDurationMs > renewDeadlineMs && renewDeadlineMs > retryPeriodMs * acquireJitter))
    throw new TypeError('leader election needs leaseDuration > renewDeadline > retryPeriod × 1.2');
  let observed: Lease | undefined;
  let observedAtMs = 0;

  const holder = (): string => observed?.spec?.holderIdentity ?? '';
  const isLeader = (): boolean => holder() === config.identity;
  const isValid = (): boolean => observedAtMs + (observed?.spec?.leaseDurationSeconds ?? 0) * 1000 > clock.monotonicMs();
  const observe = (lease: Lease): void => {
    if (observed !== undefined && JSON.stringify(observed.spec) === JSON.stringify(lease.spec)) {
      observed = lease;
      return;
    }
    if ((lease.spec?.holderIdentity ?? '') !== holder()) log.info({ leader: lease.spec?.holderIdentity ?? '' }, 'new leader');
    observed = lease;
    observedAtMs = clock.monotonicMs();
  };

  const renewed = (from: Lease | undefined): Lease => {
    const now = formatMicroTime(clock.now());
    const mine = from?.spec?.holderIdentity === config.identity;
    return {
      metadata: { ...from?.metadata, ...config.lease },
      spec: {
        ...from?.spec,
        holderIdentity: config.identity,
        leaseDurationSeconds: Math.floor(leaseDurationMs / 1000),
        acquireTime: mine ? (from.spec?.acquireTime ?? now) : now,
        renewTime: now,
        leaseTransitions: from === undefined ? 0 : (from.spec?.leaseTransitions ?? 0) + (mine ? 0 : 1),
      },
    };
  };

  const tryAcquireOrRenew = async (signal: AbortSignal): Promise<boolean> => {
    try {
      if (isLeader() && isValid()) {
        try {
          observe(await client.update(leases, renewed(observed), { signal }));
          return true;
        } catch (error) {
          signal.throwIfAborted();
          log.debug({ err: error }, 'renewal from the last known state failed; reading the lease');
        }
      }
      let current: Lease;
      try {
        current = await client.get(leases, config.lease, { signal });
      } catch (error) {
        if (!hasReason(error, 'NotFound')) throw error;
        observe(await client.create(leases, renewed(undefined), { signal }));
        return true;
      }
      observe(current);
      if (holder() !== '' && isValid() && !isLeader()) return false;
      observe(await client.update(leases, renewed(current), { signal }));
      return true;
    } catch (error) {
      if (!signal.aborted) log.warn({ err: error }, 'could not acquire or renew the lease');
      return false;
    }
  };

  const sleep = async (ms: number, signal: AbortSignal): Promise<void> => {
    try {
      await clock.sleep(ms, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  };

  /** Resolves when the lease could not be renewed for `renewDeadlineMs`, or when `signal` aborts. */
  const keepRenewing = async (signal: AbortSignal): Promise<void> => {
    let renewedAtMs = clock.monotonicMs();
    while (!signal.aborted) {
      await sleep(retryPeriodMs, signal);
      if (signal.aborted) return;
      using attempt = childSignal(signal);
      const remainingMs = renewedAtMs + renewDeadlineMs - clock.monotonicMs();
      using _deadline = clock.after(Math.max(remainingMs, 0), () => attempt.abort(new Error('renew deadline')));
      if (await tryAcquireOrRenew(attempt.signal)) renewedAtMs = clock.monotonicMs();
      else if (clock.monotonicMs() - renewedAtMs >= renewDeadlineMs) return;
    }
  };

  const release = async (): Promise<void> => {
    if (!isLeader() || observed === undefined) return;
    const lease = renewed(observed);
    try {
      observe(await client.update(leases, { ...lease, spec: { ...lease.spec, holderIdentity: '', leaseDurationSeconds: 1 } }));
    } catch (error) {
      log.warn({ err: error }, 'could not release the lease; it will expire');
    }
  };

  return {
    get isLeader() {
      return isLeader();
    },
    get leader() {
      return holder();
    },
    run: async (lead, signal) => {
      while (!(await tryAcquireOrRenew(signal))) {
        await sleep(retryPeriodMs * (1 + random() * acquireJitter), signal);
        if (signal.aborted) return 'stopped';
      }
      log.info('became leader');
      using term = childSignal(signal);
      const renewing = keepRenewing(term.signal);
      const leading = lead(term.signal);
      try {
        await Promise.race([renewing, leading]);
      } finally {
        term.abort(signal.aborted ? signal.reason : new Error('leader election lost'));
        await renewing;
        await leading;
      }
      if (signal.aborted) {
        if (config.releaseOnCancel === true) await release();
        return 'stopped';
      }
      return 'lost';
    },
  };
}

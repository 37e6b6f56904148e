import type { Lease } from '@skiff/api';
import { hasReason, type ObjectKey, type ResourceRef } from '@skiff/apimachinery';
import { childSignal, formatMicroTime, type Clock, type Logger } from '@skiff/component-base';
import type { Client } from './contract.ts';
import type { LeaderFence } from './leader-fence.ts';

const leases: ResourceRef<Lease> = { group: 'coordination.k8s.io', version: 'v1', kind: 'Lease', plural: 'leases', scope: 'Namespaced' };

export interface LeaderElectionConfig {
  readonly lease: ObjectKey;
  /** Of this candidate. One that is the same after a restart takes its lease over at once; then nothing else may run under it. */
  readonly identity: string;
  /** Others wait this long after they last saw a renewal. Default 15 s. */
  readonly leaseDurationMs?: number;
  /** The leader gives up when it could not renew for this long. Default 10 s. */
  readonly renewDeadlineMs?: number;
  /** Default 2 s. */
  readonly retryPeriodMs?: number;
  /**
   * Tells when there is no other candidate (undefined: nobody knows yet). A leader alone renews rarely, and shortens its lease as soon as it is no longer alone; it does not
   * go back, since a second candidate that is away for a while must find a lease that soon expires.
   */
  readonly alone?: { is(): boolean | undefined; subscribe(changed: () => void): Disposable };
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
/** Whoever stops does not wait longer than this for a server that may be on its way down as well. */
const releaseWithinMs = 2_000;
/** Of a leader without rivals: two writes in four minutes. */
const quiet: Pace = { leaseDurationMs: 300_000, renewDeadlineMs: 240_000, renewPeriodMs: 120_000 };

interface Pace {
  readonly leaseDurationMs: number;
  readonly renewDeadlineMs: number;
  readonly renewPeriodMs: number;
}

/** client-go's algorithm: what counts is when a change of the record was seen, by this process's clock, never the times in it. */
export function createLeaderElector(
  config: LeaderElectionConfig,
  deps: { client: Client; clock: Clock; log: Logger; random?: () => number; fence?: LeaderFence },
): LeaderElector {
  const { client, clock } = deps;
  const log = deps.log.child({ lease: `${config.lease.namespace ?? ''}/${config.lease.name}` });
  const random = deps.random ?? Math.random;
  const retryPeriodMs = config.retryPeriodMs ?? 2_000;
  const normal: Pace = {
    leaseDurationMs: config.leaseDurationMs ?? 15_000,
    renewDeadlineMs: config.renewDeadlineMs ?? 10_000,
    renewPeriodMs: retryPeriodMs,
  };
  if (!(normal.leaseDurationMs > normal.renewDeadlineMs && normal.renewDeadlineMs > retryPeriodMs * acquireJitter))
    throw new TypeError('leader election needs leaseDuration > renewDeadline > retryPeriod × 1.2');
  let observed: Lease | undefined;
  let observedAtMs = 0;
  /** leaseTransitions of this process's own term: an earlier process of the same identity had another one. */
  let ownTerm: number | undefined;
  let hadCompany = false;
  const pace = (): Pace => {
    const isAlone = config.alone?.is();
    hadCompany ||= isAlone === false;
    return isAlone === true && !hadCompany ? quiet : normal;
  };

  const holder = (): string => observed?.spec?.holderIdentity ?? '';
  const transitions = (): number => observed?.spec?.leaseTransitions ?? 0;
  const isLeader = (): boolean => ownTerm !== undefined && holder() === config.identity && transitions() === ownTerm;
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
    const mine = isLeader();
    return {
      metadata: { ...from?.metadata, ...config.lease },
      spec: {
        ...from?.spec,
        holderIdentity: config.identity,
        leaseDurationSeconds: Math.floor(pace().leaseDurationMs / 1000),
        acquireTime: mine ? (from?.spec?.acquireTime ?? now) : now,
        renewTime: now,
        leaseTransitions: from === undefined ? 0 : (from.spec?.leaseTransitions ?? 0) + (mine ? 0 : 1),
      },
    };
  };

  const acquired = (lease: Lease): void => {
    observe(lease);
    ownTerm = transitions();
    deps.fence?.claim({ lease: config.lease, transitions: ownTerm, holder: config.identity });
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
        acquired(await client.create(leases, renewed(undefined), { signal }));
        return true;
      }
      observe(current);
      // A leader that finds another term on its lease does not come back: what it began may be under way elsewhere.
      if (!isLeader() && (ownTerm !== undefined || (holder() !== '' && holder() !== config.identity && isValid()))) return false;
      acquired(await client.update(leases, renewed(current), { signal }));
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

  /** Resolves when the lease is someone else's, could not be renewed until its deadline, or when `signal` aborts. */
  const keepRenewing = async (signal: AbortSignal): Promise<void> => {
    let renewedAtMs = clock.monotonicMs();
    let delayMs = pace().renewPeriodMs;
    while (!signal.aborted) {
      // The deadline of what was written last: others go by that.
      const { renewDeadlineMs } = pace();
      await sleepUntilCompany(delayMs, signal);
      if (signal.aborted) return;
      using attempt = childSignal(signal);
      const remainingMs = renewedAtMs + renewDeadlineMs - clock.monotonicMs();
      using _deadline = clock.after(Math.max(remainingMs, 0), () => attempt.abort(new Error('renew deadline')));
      if (await tryAcquireOrRenew(attempt.signal)) {
        renewedAtMs = clock.monotonicMs();
        delayMs = pace().renewPeriodMs;
      } else if (!isLeader() || clock.monotonicMs() - renewedAtMs >= renewDeadlineMs) return;
      else delayMs = retryPeriodMs;
    }
  };

  /** Ends early when the pace changes. */
  const sleepUntilCompany = async (ms: number, signal: AbortSignal): Promise<void> => {
    if (pace() === normal) return await sleep(ms, signal);
    using waiting = childSignal(signal);
    using _ = config.alone?.subscribe(() => pace() === normal && waiting.abort());
    try {
      await clock.sleep(ms, waiting.signal);
    } catch (error) {
      if (!waiting.signal.aborted) throw error;
    }
  };

  const release = async (): Promise<void> => {
    if (!isLeader() || observed === undefined) return;
    const lease = renewed(observed);
    const attempt = new AbortController();
    using _ = clock.after(releaseWithinMs, () => attempt.abort(new Error('no answer in time')));
    try {
      const empty = { ...lease, spec: { ...lease.spec, holderIdentity: '', leaseDurationSeconds: 1 } };
      observe(await client.update(leases, empty, { signal: attempt.signal }));
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
      ownTerm = undefined;
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

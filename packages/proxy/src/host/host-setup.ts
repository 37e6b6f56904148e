import { isDeepStrictEqual } from 'node:util';
import { childSignal, type Clock, forwardChain, type Logger, missingJumps, type SavedTables } from '@skiff/component-base';
import type { RunCommand } from './command.ts';
import { applyIptables, canLeaveUntracked, saveTables, withoutRaw } from './iptables.ts';
import { answeredAddresses, ensureNamespace, releaseAddresses } from './namespace.ts';
import { forgetConnections, udpTargetsIn } from './connection-tracking.ts';
import { renderIptables, type HostConfig, type IptablesPlan, type UdpTarget } from './plan.ts';

export type HostInputs = Pick<HostConfig, 'serviceCidrs' | 'nodeAddress' | 'extraAddresses' | 'peerAddresses' | 'rules'>;

/** Keeps the host's side of the Service network as it should be, whoever reloads a firewall or deletes a link. */
export interface HostSetup {
  /** What the table needs of the host changed. Carried out soon; a call that changes nothing costs nothing. */
  update(inputs: HostInputs): void;
  /** Resolves once the namespace exists and is reachable for the first time. */
  readonly ready: Promise<void>;
  run(signal: AbortSignal): Promise<void>;
}

interface Deps {
  readonly run: RunCommand;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Rules are looked at this often; links and routes every third time. */
const checkIntervalMs = 10_000;
const retryMs = 1_000;

const chainsOf = (saved: SavedTables, plan: IptablesPlan): unknown =>
  Object.entries(plan.chains).map(([table, chains]) => Object.keys(chains).map((name) => saved[table]?.[name]));

export function createHostSetup(config: Omit<HostConfig, keyof HostInputs> & { inputs: HostInputs }, deps: Deps): HostSetup {
  const { run, clock, log } = deps;
  const { inputs: initial, ...fixed } = config;
  let inputs = initial;
  let changed = true;
  let wake = (): void => undefined;
  let markReady = (): void => undefined;
  const ready = new Promise<void>((resolve) => {
    markReady = resolve;
  });
  let untracked: boolean | undefined;
  let translated: readonly UdpTarget[] | undefined;
  let written: { plan: IptablesPlan; chains: unknown } | undefined;

  async function ensureRoutes(desired: HostConfig): Promise<void> {
    await ensureNamespace(run, desired);
    // Before the rules are known it is not known either which addresses are to stay.
    if (desired.rules === undefined) return;
    const gone = (await answeredAddresses(run, desired)).filter((a) => !desired.extraAddresses.includes(a));
    await releaseAddresses(run, desired.names, gone);
  }

  async function ensureRules(desired: HostConfig): Promise<void> {
    const saved = await saveTables(run);
    const full = renderIptables(desired, forwardChain(saved));
    if (untracked === undefined) {
      untracked = await canLeaveUntracked(run, full);
      if (!untracked) log.warn('this kernel has no raw table: connections to Services take two entries of connection tracking');
    }
    const plan = untracked ? full : withoutRaw(full);
    const missing = missingJumps(saved, plan.jumps);
    const present = Object.entries(plan.chains).every(([table, chains]) =>
      Object.keys(chains).every((name) => saved[table]?.[name] !== undefined),
    );
    if (desired.rules === undefined && present && missing.length === 0) return;
    const same = written !== undefined && isDeepStrictEqual(written.plan, plan) && isDeepStrictEqual(written.chains, chainsOf(saved, plan));
    if (same && missing.length === 0) return;
    if (written !== undefined && isDeepStrictEqual(written.plan, plan))
      log.warn({ jumps: missing.length }, 'packet filter rules were removed by someone; writing them again');
    const before = (translated ??= udpTargetsIn(saved, plan));
    await applyIptables(run, plan, missing);
    if (desired.rules !== undefined) {
      const { udpTargets } = desired.rules;
      await forgetConnections(
        run,
        before.filter((t) => !udpTargets.some((u) => isDeepStrictEqual(t, u))),
        log,
      );
      translated = udpTargets;
    }
    written = { plan, chains: chainsOf(await saveTables(run), plan) };
  }

  async function pause(ms: number, signal: AbortSignal): Promise<void> {
    using child = childSignal(signal);
    wake = () => child.abort();
    if (changed) return;
    // Woken or timed out: both mean to look again.
    await clock.sleep(ms, child.signal).catch(() => undefined);
    wake = () => undefined;
  }

  return {
    ready,
    update: (next) => {
      if (isDeepStrictEqual(next, inputs)) return;
      inputs = next;
      changed = true;
      wake();
    },
    run: async (signal) => {
      for (let round = 0; !signal.aborted; round++) {
        const urgent = changed;
        changed = false;
        const desired: HostConfig = { ...fixed, ...inputs };
        try {
          if (urgent || round % 3 === 0) await ensureRoutes(desired);
          await ensureRules(desired);
          markReady();
          await pause(checkIntervalMs, signal);
        } catch (error) {
          log.error({ err: error }, 'the Service network of this host is incomplete; trying again');
          changed = false;
          await pause(retryMs, signal);
          changed = true;
        }
      }
    },
  };
}

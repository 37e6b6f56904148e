import { readFile, writeFile } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import {
  childSignal,
  type Clock,
  forwardChain,
  type Logger,
  missingJumps,
  parseSavedTables,
  renderRestore,
  type SavedTables,
} from '@skiff/component-base';
import type { RunCommand } from '../host/run-command.ts';
import { ensureForeignChains, removeFromForeignChains } from './foreign-chains.ts';
import { type FirewallPlan, type FirewallRules, renderFirewall } from './firewall-plan.ts';
import type { NetworkNames } from './names.ts';

export interface HostFirewall {
  /** What is to be there from now on. Written soon; the same again costs nothing. */
  update(rules: FirewallRules): void;
  /** Writes what is missing of the latest. Cheap when nothing is. */
  ensure(): Promise<void>;
  /** Looks again every ten seconds: dockerd, administrators and firewall managers rewrite tables. */
  run(signal: AbortSignal): Promise<void>;
  /** Removes every trace. */
  remove(): Promise<void>;
}

const checkIntervalMs = 10_000;
const wait = ['-w', '10'];

export function createHostFirewall(
  config: { readonly names: NetworkNames; readonly rules: FirewallRules },
  deps: { run: RunCommand; clock: Clock; log: Logger },
): HostFirewall {
  const { run, clock, log } = deps;
  const { names } = config;
  let rules = config.rules;
  let written: { plan: FirewallPlan; chains: unknown } | undefined;
  let dirty = true;
  let refused = '';
  let wake = (): void => undefined;
  /** One change of the tables at a time. */
  let last: Promise<void> = Promise.resolve();

  const read = async (): Promise<SavedTables> => parseSavedTables(await run('iptables-save', []));
  const ours = (saved: SavedTables, plan: FirewallPlan): unknown =>
    Object.entries(plan.chains).map(([table, chains]) => Object.keys(chains).map((name) => saved[table]?.[name]));

  const forward = async (): Promise<void> => {
    if ((await readFile('/proc/sys/net/ipv4/ip_forward', 'utf8')).trim() !== '1') await writeFile('/proc/sys/net/ipv4/ip_forward', '1');
  };
  const ensureIptables = async (): Promise<void> => {
    const plan = renderFirewall(names, rules);
    let saved = await read();
    const same = written !== undefined && isDeepStrictEqual(written.plan, plan);
    if (!same || !isDeepStrictEqual(ours(saved, plan), written?.chains)) {
      if (same) log.warn('packet filter rules were removed by someone; writing them again');
      await run('iptables-restore', ['--noflush', ...wait], renderRestore(plan.chains));
      saved = await read();
      written = { plan, chains: ours(saved, plan) };
    }
    const accepting = forwardChain(saved);
    const jumps = plan.jumps.map((j) => (j.from === 'FORWARD' ? { ...j, from: accepting } : j));
    for (const { table, from, to } of missingJumps(saved, jumps)) await run('iptables', [...wait, '-t', table, '-I', from, '1', '-j', to]);
  };
  const ensureAll = async (): Promise<void> => {
    await forward();
    await ensureIptables();
    // A table of someone who lets nobody else in (firewalld may own its own) is for the administrator to open: pods must run meanwhile.
    try {
      await ensureForeignChains(run, names, rules);
      refused = '';
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      if (text !== refused) log.warn({ err: error }, 'a packet filter of someone else could not be opened for pods');
      refused = text;
    }
  };
  const inTurn = (work: () => Promise<void>): Promise<void> => {
    const next = last.then(work);
    last = next.catch(() => undefined);
    return next;
  };
  const pause = async (signal: AbortSignal): Promise<void> => {
    using child = childSignal(signal);
    wake = () => child.abort();
    if (!dirty) await clock.sleep(checkIntervalMs, child.signal).catch(() => undefined);
    wake = () => undefined;
  };

  return {
    update: (next) => {
      if (isDeepStrictEqual(next, rules)) return;
      rules = next;
      dirty = true;
      wake();
    },
    ensure: () => inTurn(ensureAll),
    run: async (signal) => {
      while (!signal.aborted) {
        await pause(signal);
        if (signal.aborted) return;
        dirty = false;
        await inTurn(ensureAll).catch((error: unknown) => log.error({ err: error }, 'the packet filter rules for pods are incomplete'));
      }
    },
    remove: () =>
      inTurn(async () => {
        const saved = await read();
        const own = Object.values(names.chains);
        for (const [table, chains] of Object.entries(saved)) {
          for (const [from, list] of Object.entries(chains))
            for (const to of own) if (list.includes(`-j ${to}`)) await run('iptables', [...wait, '-t', table, '-D', from, '-j', to]);
          for (const name of own.filter((n) => chains[n] !== undefined)) {
            await run('iptables', [...wait, '-t', table, '-F', name]);
            await run('iptables', [...wait, '-t', table, '-X', name]);
          }
        }
        await removeFromForeignChains(run, names);
      }),
  };
}

import { type Jump, parseSavedTables, renderRestore, type SavedTables } from '@skiff/component-base';
import { runOk, type RunCommand } from './command.ts';
import type { IptablesPlan } from './plan.ts';

const waitSeconds = ['-w', '10'];

/** All tables in use, by one process. */
export const saveTables = async (run: RunCommand): Promise<SavedTables> => parseSavedTables(await runOk(run, 'iptables-save', []));

/** Writes our chains and inserts the jumps that are missing. */
export async function applyIptables(run: RunCommand, plan: IptablesPlan, missing: readonly Jump[]): Promise<void> {
  await runOk(run, 'iptables-restore', ['--noflush', ...waitSeconds], renderRestore(plan.chains));
  for (const jump of missing) await runOk(run, 'iptables', [...waitSeconds, '-t', jump.table, '-I', jump.from, '1', '-j', jump.to]);
}

/** Whether the kernel can leave packets untracked (the raw table and the CT target). Leaves nothing behind. */
export async function canLeaveUntracked(run: RunCommand, plan: IptablesPlan): Promise<boolean> {
  const rules = Object.entries(plan.chains.raw).flatMap(([chain, list]) => [`:${chain} - [0:0]`, ...list.map((r) => `-A ${chain} ${r}`)]);
  const input = ['*raw', ...rules, 'COMMIT', ''].join('\n');
  return (await run('iptables-restore', ['--noflush', '--test', ...waitSeconds], input)).code === 0;
}

/** The plan without the raw table: connections are tracked twice, which costs memory and is right all the same. */
export const withoutRaw = (plan: IptablesPlan): IptablesPlan => ({
  chains: { ...plan.chains, raw: {} },
  jumps: plan.jumps.filter((j) => j.table !== 'raw'),
});

/** Removes the named chains and every rule that leads to one of them. Absent ones are none of its business. */
export async function removeChains(run: RunCommand, names: readonly string[]): Promise<void> {
  const saved = await saveTables(run);
  for (const [table, chains] of Object.entries(saved)) {
    const ours = names.filter((name) => chains[name] !== undefined);
    if (ours.length === 0) continue;
    for (const [from, rules] of Object.entries(chains)) {
      for (const rule of rules) {
        const target = / -j (\S+)|^-j (\S+)/.exec(rule);
        const to = target?.[1] ?? target?.[2];
        if (to !== undefined && ours.includes(to))
          await runOk(run, 'iptables', [...waitSeconds, '-t', table, '-D', from, ...rule.split(' ')]);
      }
    }
    for (const name of ours) await runOk(run, 'iptables', [...waitSeconds, '-t', table, '-F', name]);
    for (const name of ours) await runOk(run, 'iptables', [...waitSeconds, '-t', table, '-X', name]);
  }
}

import { createHash } from 'node:crypto';
import { access } from 'node:fs/promises';
import type { RunCommand } from '../host/run-command.ts';
import type { FirewallRules } from './firewall-plan.ts';
import type { NetworkNames } from './names.ts';

/**
 * Firewalls that are written in nftables' own tables (nftables.conf, firewalld). A packet must be accepted by every chain at a hook,
 * so accepting it in iptables' chains is not enough where another one drops: our rule has to stand in that one too.
 */
interface NftChain {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  readonly type?: string;
  readonly hook?: string;
  readonly policy?: string;
}
interface NftRule {
  readonly family: string;
  readonly table: string;
  readonly chain: string;
  readonly handle: number;
  readonly comment?: string;
  readonly expr?: readonly Readonly<Record<string, unknown>>[];
}
type NftObject = { readonly chain?: NftChain; readonly rule?: NftRule };

const nftPaths = ['/usr/sbin/nft', '/sbin/nft', '/usr/local/sbin/nft', '/usr/bin/nft'];

async function hasNft(): Promise<boolean> {
  for (const path of nftPaths) {
    const there = await access(path).then(
      () => true,
      () => false,
    );
    if (there) return true;
  }
  return false;
}

/** The tables in which iptables' nftables variant keeps its chains; we are in those already. */
const isIptables = (c: NftChain): boolean => c.family === 'ip' && c.table === 'filter' && c.name === c.name.toUpperCase();

/** A chain of others that sees what is forwarded or received. */
const isFilter = (c: NftChain): boolean =>
  c.type === 'filter' && (c.hook === 'forward' || c.hook === 'input') && (c.family === 'ip' || c.family === 'inet') && !isIptables(c);

const verdictsThatEnd = ['drop', 'reject', 'jump', 'goto', 'queue'] as const;

/** Chains at the hooks that matter, of others, that may refuse a packet. */
export function refusingChains(objects: readonly NftObject[]): readonly NftChain[] {
  const rules = objects.flatMap((o) => o.rule ?? []);
  return objects
    .flatMap((o) => o.chain ?? [])
    .filter(isFilter)
    .filter(
      (c) =>
        c.policy === 'drop' ||
        rules.some(
          (r) =>
            r.family === c.family &&
            r.table === c.table &&
            r.chain === c.name &&
            r.expr?.some((e) => verdictsThatEnd.some((v) => v in e) || 'vmap' in e) === true,
        ),
    );
}

/** Matches of what we accept there, without verdict. */
export function renderAccepts(hook: string, names: NetworkNames, rules: Pick<FirewallRules, 'peers'>): readonly string[] {
  const ours = [`"${names.linkPrefix}*"`, `"${names.servicesLink}"`];
  if (hook === 'forward') return ours.flatMap((link) => [`iifname ${link}`, `oifname ${link}`]);
  const sources = rules.peers.flatMap((p) => [p.address, ...p.podCidrs]);
  return [
    ...[...ours, `"${names.vxlanLink}"`].map((link) => `iifname ${link}`),
    ...(sources.length === 0 ? [] : [`ip saddr { ${[...new Set(sources)].join(', ')} }`]),
  ];
}

const commentPrefix = (names: NetworkNames): string => `skiff ${names.tag} `;

/** The `nft -f` lines, by table, that bring each chain to what is wanted; none where it is so already. */
export function planForeignChains(
  objects: readonly NftObject[],
  names: NetworkNames,
  rules: FirewallRules | undefined,
): ReadonlyMap<string, readonly string[]> {
  const prefix = commentPrefix(names);
  const own = objects.flatMap((o) => o.rule ?? []).filter((r) => r.comment?.startsWith(prefix) === true);
  const chains = rules === undefined ? [] : refusingChains(objects);
  const added: { readonly table: string; readonly line: string }[] = [];
  const kept = new Set<NftRule>();
  for (const chain of chains) {
    const accepts = renderAccepts(chain.hook ?? '', names, rules ?? { peers: [] });
    const comment = `${prefix}${createHash('sha256').update(accepts.join('\n')).digest('hex').slice(0, 12)}`;
    const here = own.filter((r) => r.family === chain.family && r.table === chain.table && r.chain === chain.name);
    if (here.length === accepts.length && here.every((r) => r.comment === comment)) {
      for (const r of here) kept.add(r);
      continue;
    }
    const place = `${chain.family} ${chain.table} ${chain.name}`;
    const table = `${chain.family} ${chain.table}`;
    added.push(...accepts.toReversed().map((match) => ({ table, line: `insert rule ${place} ${match} accept comment "${comment}"` })));
  }
  const removed = own
    .filter((r) => !kept.has(r))
    .map((r) => ({ table: `${r.family} ${r.table}`, line: `delete rule ${r.family} ${r.table} ${r.chain} handle ${r.handle}` }));
  const lines = new Map<string, string[]>();
  for (const { table, line } of [...removed, ...added]) lines.set(table, [...(lines.get(table) ?? []), line]);
  return lines;
}

const list = async (run: RunCommand, ...what: readonly string[]): Promise<readonly NftObject[]> =>
  (JSON.parse(await run('nft', ['-j', 'list', ...what])) as { nftables?: readonly NftObject[] }).nftables ?? [];

async function apply(run: RunCommand, names: NetworkNames, rules: FirewallRules | undefined): Promise<void> {
  if (!(await hasNft())) return;
  // Most hosts have none: the rules of all tables need not be listed to know it.
  const tables = new Set(
    (await list(run, 'chains')).flatMap((o) => (o.chain !== undefined && isFilter(o.chain) ? [`${o.chain.family} ${o.chain.table}`] : [])),
  );
  const objects: NftObject[] = [];
  for (const table of tables) objects.push(...(await list(run, 'table', ...table.split(' '))));
  // Each table for itself: one that its owner has locked must not keep the others shut.
  const failures: string[] = [];
  for (const [table, lines] of planForeignChains(objects, names, rules))
    await run('nft', ['-f', '-'], `${lines.join('\n')}\n`).catch((error: unknown) =>
      failures.push(`table ${table}: ${(error as Error).message}`),
    );
  if (failures.length > 0) throw new Error(failures.join('; '));
}

export const ensureForeignChains = (run: RunCommand, names: NetworkNames, rules: FirewallRules): Promise<void> => apply(run, names, rules);
export const removeFromForeignChains = (run: RunCommand, names: NetworkNames): Promise<void> => apply(run, names, undefined);

/** Texts of iptables-save and iptables-restore: what kubelet and proxy have in common on a host whose tables belong to many. */

/** What iptables-save says: table → chain → rules as it prints them, without the chain's name. */
export type SavedTables = Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;

export function parseSavedTables(text: string): SavedTables {
  const tables: Record<string, Record<string, string[]>> = {};
  let current: Record<string, string[]> = {};
  for (const line of text.split('\n')) {
    if (line.startsWith('*')) current = tables[line.slice(1).trim()] ??= {};
    else if (line.startsWith(':')) current[line.slice(1).split(' ')[0] ?? ''] ??= [];
    else if (line.startsWith('-A ')) {
      const chain = line.split(' ')[1] ?? '';
      (current[chain] ??= []).push(line.slice(4 + chain.length));
    }
  }
  return tables;
}

/** A rule without conditions that leads from one chain to another. */
export interface Jump {
  readonly table: string;
  readonly from: string;
  readonly to: string;
}

export const hasJump = (saved: SavedTables, j: Jump): boolean => (saved[j.table]?.[j.from] ?? []).includes(`-j ${j.to}`);

/** Jumps that are missing. One that is there but not first stays where it is, so that two programs never fight over the place. */
export const missingJumps = <J extends Jump>(saved: SavedTables, jumps: readonly J[]): readonly J[] =>
  jumps.filter((j) => !hasJump(saved, j));

/** The chain that accepts for FORWARD: Docker's own place for its users' rules, which it leaves alone, where FORWARD leads to it. */
export const forwardChain = (saved: SavedTables): 'DOCKER-USER' | 'FORWARD' =>
  hasJump(saved, { table: 'filter', from: 'FORWARD', to: 'DOCKER-USER' }) ? 'DOCKER-USER' : 'FORWARD';

/**
 * Input of `iptables-restore --noflush`: the given chains (table → chain → rules) are replaced as one, nobody else's rules are
 * touched. Tables without chains are left out.
 */
export function renderRestore(tables: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>): string {
  const lines: string[] = [];
  for (const [table, chains] of Object.entries(tables)) {
    if (Object.keys(chains).length === 0) continue;
    lines.push(`*${table}`, ...Object.keys(chains).map((name) => `:${name} - [0:0]`));
    for (const [name, rules] of Object.entries(chains)) lines.push(...rules.map((rule) => `-A ${name} ${rule}`));
    lines.push('COMMIT');
  }
  return `${lines.join('\n')}\n`;
}

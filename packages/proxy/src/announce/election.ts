import { createHash } from 'node:crypto';

/** Rendezvous hashing: every node ranks the nodes alike for an address, and one node more or less moves nothing else. */
export function rankNodes(address: string, nodes: readonly string[]): readonly string[] {
  const weight = (node: string): string => createHash('sha256').update(`${address} ${node}`).digest('hex');
  return nodes
    .map((node) => ({ node, weight: weight(node) }))
    .sort((a, b) => (a.weight < b.weight ? 1 : -1))
    .map(({ node }) => node);
}

export interface ElectionInput {
  readonly address: string;
  readonly me: string;
  /** Who announces it, as it stands in the API; '' for nobody. */
  readonly holder: string;
  /** Nodes that may announce it. */
  readonly eligible: readonly string[];
  /** Seen not to answer, by this node. */
  readonly isDead: (node: string) => boolean;
}

export interface Verdict {
  readonly announce: boolean;
  /** Nodes whose life matters now. */
  readonly watch: readonly string[];
  /** This node's place among those that may take the address over; undefined: nothing is to be taken. */
  readonly rank: number | undefined;
  /** All that go before this one are dead: it may act without the API. */
  readonly isFirstAlive: boolean;
}

/** So many nodes look after the holder of an address. */
const watchers = 3;

/**
 * Who announces an address keeps it: connections would break with each move. It is taken over when the holder is gone, has become
 * ineligible or does not answer, by the first in rank; those behind it wait their turn, in case it can't.
 */
export function elect(input: ElectionInput): Verdict {
  const { address, me, holder, eligible, isDead } = input;
  const nothing: Verdict = { announce: false, watch: [], rank: undefined, isFirstAlive: false };
  if (holder === me) return { ...nothing, announce: true };
  if (!eligible.includes(me)) return nothing;
  const ranking = rankNodes(
    address,
    eligible.filter((n) => n !== holder),
  );
  const rank = ranking.indexOf(me);
  const holds = eligible.includes(holder);
  const watchesHolder = holds && rank < watchers ? [holder] : [];
  if (holds && !isDead(holder)) return { ...nothing, watch: watchesHolder };
  const before = ranking.slice(0, rank);
  return { announce: false, watch: [...watchesHolder, ...before], rank, isFirstAlive: before.every(isDead) };
}

import type { Clock } from '@skiff/component-base';

/**
 * Two nodes that don't hear each other but do reach the API would take an address from one another for ever, and each move breaks its
 * connections. So whoever loses one leaves it to the winner for a while, however dead that one seems from here.
 */
export interface HoldBack {
  /** Who holds the address, as it stands in the API. Answers whether this node has just lost it to that holder. */
  sees(address: string, holder: string): boolean;
  /** Whether this node lost the address to this holder so recently that it doesn't take it back. */
  isLeftTo(address: string, holder: string): boolean;
  /** Forgets all addresses but these. */
  keep(addresses: ReadonlySet<string>): void;
}

const firstMs = 60_000;
const maxMs = 600_000;
/** A loss so long after the one before has nothing to do with it. */
const forgetMs = 3_600_000;

interface Loss {
  readonly to: string;
  readonly atMs: number;
  readonly leaveMs: number;
}

export function createHoldBack(config: { me: string }, deps: { clock: Clock }): HoldBack {
  const held = new Set<string>();
  const losses = new Map<string, Loss>();
  return {
    sees: (address, holder) => {
      if (holder === config.me) {
        held.add(address);
        return false;
      }
      if (!held.delete(address) || holder === '') return false;
      const atMs = deps.clock.monotonicMs();
      const last = losses.get(address);
      const leaveMs = last === undefined || atMs - last.atMs > forgetMs ? firstMs : Math.min(2 * last.leaveMs, maxMs);
      losses.set(address, { to: holder, atMs, leaveMs });
      return true;
    },
    isLeftTo: (address, holder) => {
      const loss = losses.get(address);
      return loss?.to === holder && deps.clock.monotonicMs() - loss.atMs < loss.leaveMs;
    },
    keep: (addresses) => {
      for (const known of [held, losses]) for (const address of known.keys()) if (!addresses.has(address)) known.delete(address);
    },
  };
}

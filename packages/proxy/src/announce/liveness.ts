import { connect } from 'node:net';
import type { Clock } from '@skiff/component-base';

/** Watches other nodes by connecting to a port that their proxy-data has open: it answers as long as it can carry connections. */
export interface Liveness {
  /** Looks at each node that was not looked at just before. */
  look(nodes: ReadonlyMap<string, string>): Promise<void>;
  isDead(node: string): boolean;
  /** Forgets all but these. */
  keep(nodes: ReadonlySet<string>): void;
}

const timeoutMs = 700;
/** So many looks in a row must fail. */
const deadAfter = 2;
/** Looks that follow each other faster say the same. */
const apartMs = 800;

function answers(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port });
    const settle = (alive: boolean): void => {
      clearTimeout(timer);
      socket.removeAllListeners();
      socket.on('error', () => undefined);
      socket.destroy();
      resolve(alive);
    };
    // When this process was not run for a while, the timer is due before the answer that lies ready: that is looked at first.
    const timer = setTimeout(() => setImmediate(settle, false), timeoutMs);
    socket.on('connect', () => settle(true));
    // It answers and hangs up: whoever was not run in between learns of the second only.
    socket.on('error', (error: NodeJS.ErrnoException) => settle(error.code === 'ECONNRESET'));
  });
}

export function createLiveness(config: { port: number }, deps: { clock: Clock }): Liveness {
  const failures = new Map<string, number>();
  const lookedMs = new Map<string, number>();
  return {
    look: async (nodes) => {
      await Promise.all(
        [...nodes].map(async ([node, address]) => {
          const nowMs = deps.clock.monotonicMs();
          if (nowMs - (lookedMs.get(node) ?? Number.NEGATIVE_INFINITY) < apartMs) return;
          lookedMs.set(node, nowMs);
          const alive = await answers(address, config.port);
          failures.set(node, alive ? 0 : (failures.get(node) ?? 0) + 1);
        }),
      );
    },
    isDead: (node) => (failures.get(node) ?? 0) >= deadAfter,
    keep: (nodes) => {
      for (const known of [failures, lookedMs]) for (const node of known.keys()) if (!nodes.has(node)) known.delete(node);
    },
  };
}

import { connect } from 'node:net';

/** Watches other nodes by connecting to a port that their proxy-data has open: it answers as long as it can carry connections. */
export interface Liveness {
  /** Starts a look at each node, unless one is under way. */
  look(nodes: ReadonlyMap<string, string>): Promise<void>;
  isDead(node: string): boolean;
  /** Forgets all but these. */
  keep(nodes: ReadonlySet<string>): void;
}

const timeoutMs = 700;
/** So many looks in a row must fail. */
const deadAfter = 2;

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
    const timer = setTimeout(() => settle(false), timeoutMs);
    socket.on('connect', () => settle(true));
    socket.on('error', () => settle(false));
  });
}

export function createLiveness(config: { port: number }): Liveness {
  const failures = new Map<string, number>();
  return {
    look: async (nodes) => {
      await Promise.all(
        [...nodes].map(async ([node, address]) => {
          const alive = await answers(address, config.port);
          failures.set(node, alive ? 0 : (failures.get(node) ?? 0) + 1);
        }),
      );
    },
    isDead: (node) => (failures.get(node) ?? 0) >= deadAfter,
    keep: (nodes) => {
      for (const node of failures.keys()) if (!nodes.has(node)) failures.delete(node);
    },
  };
}

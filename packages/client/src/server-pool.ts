import type { Clock } from '@skiff/component-base';

/**
 * The apiservers that a client may use: those it was configured with and those it has learned of. Says which one a new connection
 * should go to; connections that work are left where they are.
 */
export interface ServerPool {
  /** Every known server, the preferred ones first. */
  readonly servers: readonly string[];
  /** Replaces what was learned; configured servers stay. */
  learn(servers: readonly string[]): void;
  /** The best server that is not in `tried`; undefined when all of them are. */
  pick(tried: ReadonlySet<string>): string | undefined;
  /** It could not be reached, or does not do its work: for a while others go first. */
  failed(server: string): void;
  succeeded(server: string): void;
  /** Called after `servers` has changed. */
  subscribe(changed: (servers: readonly string[]) => void): Disposable;
}

const penaltyMs = { initial: 5_000, max: 60_000 };

const hostOf = (server: string): string => new URL(server).hostname.replace(/^\[|\]$/g, '');
const isLoopbackHost = (host: string): boolean => host === 'localhost' || host === '::1' || host.startsWith('127.');
/** A server on this machine: it can't be cut off, and a dead one says so at once. */
export const isLoopback = (server: string): boolean => isLoopbackHost(hostOf(server));

/**
 * - A configured server on loopback is the one of this machine: it goes first, and learned addresses of this machine
 *   (`ownAddresses`) are other names of it.
 * - Configured servers without learned ones are tried in their order.
 * - Else all are alike, in an order of this process's own: clients of a dead server spread over the rest.
 */
export function createServerPool(
  config: { readonly configured: readonly string[]; readonly learned?: readonly string[]; readonly ownAddresses?: readonly string[] },
  deps: { clock: Clock; random?: () => number },
): ServerPool {
  if (config.configured.length === 0) throw new TypeError('no server is configured');
  const random = deps.random ?? Math.random;
  const own = new Set(config.ownAddresses ?? []);
  const local = config.configured.filter(isLoopback);
  const isOtherName = (server: string): boolean => own.has(hostOf(server)) && local.some((l) => new URL(l).port === new URL(server).port);
  /** Drawn once for each server, so that what is learned anew does not reorder the rest. */
  const draws = new Map<string, number>();
  const drawOf = (server: string): number => draws.get(server) ?? 0;
  const arrange = (learned: readonly string[]): readonly string[] => {
    const others = [...new Set(learned)].filter((s) => !config.configured.includes(s) && !isOtherName(s));
    for (const server of [...config.configured, ...others]) if (!draws.has(server)) draws.set(server, random());
    if (others.length === 0 || local.length > 0) return [...config.configured, ...others.toSorted((a, b) => drawOf(a) - drawOf(b))];
    return [...config.configured, ...others].toSorted((a, b) => drawOf(a) - drawOf(b));
  };
  let servers = arrange(config.learned ?? []);
  const penalties = new Map<string, { untilMs: number; lengthMs: number }>();
  const listeners = new Set<(servers: readonly string[]) => void>();

  return {
    get servers() {
      return servers;
    },
    learn: (learned) => {
      const next = arrange(learned);
      if (next.length === servers.length && next.every((s, i) => s === servers[i])) return;
      servers = next;
      for (const server of penalties.keys()) if (!next.includes(server)) penalties.delete(server);
      for (const changed of listeners) changed(servers);
    },
    pick: (tried) => {
      const nowMs = deps.clock.monotonicMs();
      const left = servers.filter((s) => !tried.has(s));
      const untilMs = (s: string): number => penalties.get(s)?.untilMs ?? 0;
      return left.find((s) => untilMs(s) <= nowMs) ?? left.toSorted((a, b) => untilMs(a) - untilMs(b))[0];
    },
    failed: (server) => {
      const last = penalties.get(server)?.lengthMs;
      const lengthMs = last === undefined ? penaltyMs.initial : Math.min(last * 2, penaltyMs.max);
      penalties.set(server, { untilMs: deps.clock.monotonicMs() + lengthMs, lengthMs });
    },
    succeeded: (server) => void penalties.delete(server),
    subscribe: (changed) => {
      // A copy, so that one function may subscribe twice.
      const listener = (list: readonly string[]): void => changed(list);
      listeners.add(listener);
      return { [Symbol.dispose]: () => void listeners.delete(listener) };
    },
  };
}

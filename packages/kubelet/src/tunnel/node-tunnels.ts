import type { ServerPool } from '@skiff/client';
import { aborted, childSignal, type Clock, type Logger } from '@skiff/component-base';
import type { DrainRequest, DrainResponse } from '@skiff/tunnel';
import type { ChannelConfig, StreamEnd, TunnelChannel } from '@skiff/tunnel/node';
import { openTunnel, type TunnelNode, type TunnelSession } from './tunnel-session.ts';

export type TunnelCredentials = Omit<ChannelConfig, 'server'>;

export interface NodeTunnelsConfig {
  readonly maxConnections: number;
}

export interface NodeTunnelsDeps {
  readonly node: TunnelNode;
  /** URLs of the servers, as they are now. */
  readonly servers: Pick<ServerPool, 'servers' | 'subscribe'>;
  /** Read for each tunnel: certificates are renewed. */
  readonly credentials: () => Promise<TunnelCredentials>;
  readonly createChannel: (config: ChannelConfig) => TunnelChannel;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
}

export interface NodeTunnels {
  /** Asks one of the servers; undefined when none could be asked. */
  drain(request: DrainRequest, timeoutMs: number): Promise<DrainResponse | undefined>;
  /** Keeps a tunnel to every server until `signal` aborts. */
  run(signal: AbortSignal): Promise<void>;
}

const firstDelayMs = 250;
/** A server that restarts is back in seconds; one that is gone for longer is asked less often. */
const longestDelayMs = { soon: 1_000, later: 5_000 };
const soonAttempts = 15;
/** A tunnel that lasted for so long was a good one: the next attempt comes soon. */
const goodMs = 10_000;
const credentialsCheckMs = 60_000;

/** The time before the next attempt, never the same for two nodes. */
export function reconnectDelayMs(failures: number, random: number): number {
  const longestMs = failures <= soonAttempts ? longestDelayMs.soon : longestDelayMs.later;
  return Math.min(firstDelayMs * 2 ** Math.min(failures, 10), longestMs) * (0.5 + random / 2);
}

/** `host:port` of a server's URL. */
export function authorityOf(url: string): string {
  const { hostname, port } = new URL(url);
  return `${hostname}:${port === '' ? '443' : port}`;
}

interface ServerTunnel {
  readonly channel: TunnelChannel;
  readonly server: string;
}

/** The tunnels of this node, one to each server. */
export function createNodeTunnels(config: NodeTunnelsConfig, deps: NodeTunnelsDeps): NodeTunnels {
  const { clock, log } = deps;
  /** By server id: who is connected, and what to wait for by those who reach the same server by another address. */
  const connected = new Map<string, ServerTunnel & { readonly over: Promise<unknown> }>();
  const replaced = new Set<TunnelSession>();
  let lastProblem = '';

  /** Opens one tunnel; resolves when it is over, or when newer credentials want a new one. */
  const once = async (server: string, signal: AbortSignal): Promise<'good' | 'failed' | 'again'> => {
    const credentials = await deps.credentials();
    const startedMs = clock.monotonicMs();
    let session: TunnelSession | undefined;
    let duplicateOf: Promise<unknown> | undefined;
    let serverId: string | undefined;
    const channel = deps.createChannel({ ...credentials, server: authorityOf(server) });
    const stopped = childSignal(signal);
    try {
      const opened = openTunnel(channel, config, {
        node: deps.node,
        log,
        on: {
          welcome: (id) => {
            const other = connected.get(id);
            if (other !== undefined && other.server !== server) {
              duplicateOf = other.over;
              return false;
            }
            serverId = id;
            connected.set(id, { channel, server, over: opened.ended });
            log.info({ server }, 'the tunnel is open');
            return true;
          },
        },
      });
      session = opened;
      const rotated = waitForOther(credentials, stopped.signal);
      const end = await Promise.race([opened.ended, rotated, aborted(signal).then(() => undefined)]);
      if (signal.aborted) return 'good';
      if (end === 'rotated') {
        // The server ends the old tunnel when the new one is there; connections in it go on.
        replaced.add(opened);
        void opened.ended.then(() => replaced.delete(opened));
        session = undefined;
        return 'again';
      }
      if (duplicateOf !== undefined) {
        await Promise.race([duplicateOf, aborted(signal)]);
        return 'again';
      }
      report(server, end as StreamEnd, serverId !== undefined);
      return clock.monotonicMs() - startedMs > goodMs ? 'good' : 'failed';
    } finally {
      stopped.abort();
      stopped[Symbol.dispose]();
      if (serverId !== undefined && connected.get(serverId)?.channel === channel && session !== undefined) connected.delete(serverId);
      if (signal.aborted) session?.stop();
    }
  };
  const report = (server: string, end: StreamEnd, wasOpen: boolean): void => {
    const problem = `${server} ${end.code} ${end.message}`;
    // The same failure again and again is told once.
    if (wasOpen) log.warn({ server, code: end.code, reason: end.message }, 'the tunnel is gone; it is opened again');
    else if (problem !== lastProblem) log.warn({ server, code: end.code, reason: end.message }, 'no tunnel could be opened; trying again');
    lastProblem = wasOpen ? '' : problem;
  };
  /** Resolves once the credentials are no longer those. */
  const waitForOther = async (first: TunnelCredentials, signal: AbortSignal): Promise<'rotated'> => {
    for (;;) {
      await clock.sleep(credentialsCheckMs, signal).catch(() => undefined);
      if (signal.aborted) return 'rotated';
      const now = await deps.credentials().catch(() => first);
      if (now.cert !== first.cert || now.ca !== first.ca) return 'rotated';
    }
  };
  const keep = async (server: string, signal: AbortSignal): Promise<void> => {
    for (let failures = 0; !signal.aborted; ) {
      let outcome: Awaited<ReturnType<typeof once>> = 'failed';
      try {
        outcome = await once(server, signal);
      } catch (error) {
        log.error({ err: error, server }, 'no tunnel could be opened');
      }
      failures = outcome === 'failed' ? failures + 1 : 0;
      if (outcome === 'again' || signal.aborted) continue;
      await clock.sleep(reconnectDelayMs(failures, deps.random()), signal).catch(() => undefined);
    }
  };

  return {
    drain: async (request, timeoutMs) => {
      for (const { channel, server } of connected.values()) {
        try {
          return await channel.drain(request, timeoutMs);
        } catch (error) {
          log.warn({ err: error, server, pod: request.podName }, 'a server could not drain a pod');
        }
      }
      return undefined;
    },
    run: async (signal) => {
      const running = new Map<string, { stop(): void; done: Promise<void> }>();
      const follow = (servers: readonly string[]): void => {
        for (const server of servers) {
          if (running.has(server)) continue;
          const child = childSignal(signal);
          const done = keep(server, child.signal).finally(() => child[Symbol.dispose]());
          running.set(server, { stop: () => child.abort(), done });
        }
        for (const [server, r] of running) {
          if (servers.includes(server)) continue;
          r.stop();
          running.delete(server);
        }
      };
      using _subscription = deps.servers.subscribe(follow);
      follow(deps.servers.servers);
      await aborted(signal);
      for (const session of replaced) session.stop();
      await Promise.all([...running.values()].map((r) => r.done));
    },
  };
}

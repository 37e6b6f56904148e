import { randomUUID } from 'node:crypto';
import type { Clock, Logger } from '@skiff/component-base';
import { DialError, type TunnelConnection, type TunnelTarget } from '@skiff/tunnel';
import type { NodeTunnel } from './node-tunnel.ts';
import { grpcStatus } from './server-call.ts';

/** A tunnel over which nothing was heard for so long is asked; without an answer in `answerMs` it is dead. Nodes ping every 5 s. */
const silenceMs = 6_000;
const answerMs = 5_000;
const checkIntervalMs = 2_000;

interface Member {
  readonly tunnel: NodeTunnel;
  /** Throws when its credentials are no longer good. */
  readonly checkIdentity: () => Promise<void>;
  heardMs: number;
  asking: boolean;
}

/** The tunnels of all nodes to this server. */
export interface Tunnels {
  /** Different for each run of each server. */
  readonly serverId: string;
  has(nodeName: string): boolean;
  get(nodeName: string): NodeTunnel | undefined;
  all(): readonly NodeTunnel[];
  /** Rejects with DialError. */
  dial(nodeName: string, target: TunnelTarget, timeoutMs: number): Promise<TunnelConnection>;
  /** Resolves with whether a node has, or gets within `timeoutMs`, a tunnel to this server. */
  awaitTunnel(nodeName: string, timeoutMs: number, signal: AbortSignal): Promise<boolean>;
  /** The newest tunnel of a node is its tunnel; an older one is ended. */
  join(tunnel: NodeTunnel, checkIdentity: () => Promise<void>): void;
  leave(tunnel: NodeTunnel): void;
  /** Ends tunnels whose peer is dead or whose certificate has expired; with the signal all of them. */
  run(signal: AbortSignal): Promise<void>;
}

export function createTunnels(deps: { clock: Clock; log: Logger }): Tunnels {
  const { clock, log } = deps;
  const members = new Map<string, Member>();
  const awaited = new Map<string, Set<() => void>>();

  const leave = (tunnel: NodeTunnel): void => {
    tunnel.ended();
    if (members.get(tunnel.nodeName)?.tunnel !== tunnel) return;
    members.delete(tunnel.nodeName);
    log.info({ node: tunnel.nodeName }, 'the tunnel of a node is gone');
  };
  const cut = (member: Member, why: string): void => {
    log.warn({ node: member.tunnel.nodeName, why }, 'the tunnel of a node is cut');
    member.tunnel.session?.destroy();
    leave(member.tunnel);
  };
  /** Asks a silent peer. */
  const ask = (member: Member): void => {
    const { session } = member.tunnel;
    if (session === undefined || session.destroyed) return leave(member.tunnel);
    member.asking = true;
    const askedMs = clock.monotonicMs();
    const timer = clock.after(answerMs, () => {
      // What came while this process was held up is read first.
      setImmediate(() => {
        member.asking = false;
        if (member.heardMs >= askedMs || members.get(member.tunnel.nodeName) !== member) return;
        cut(member, `nothing was heard for ${silenceMs + answerMs} ms`);
      });
    });
    session.ping((error: Error | null) => {
      timer[Symbol.dispose]();
      member.asking = false;
      if (error === null) member.heardMs = clock.monotonicMs();
    });
  };
  const check = async (member: Member): Promise<void> => {
    try {
      await member.checkIdentity();
    } catch (error) {
      member.tunnel.end(grpcStatus.unauthenticated, (error as Error).message);
      return cut(member, `its credentials are not good any more: ${(error as Error).message}`);
    }
    if (!member.asking && clock.monotonicMs() - member.heardMs > silenceMs) ask(member);
  };

  return {
    serverId: randomUUID(),
    has: (nodeName) => members.get(nodeName)?.tunnel.open === true,
    get: (nodeName) => members.get(nodeName)?.tunnel,
    all: () => [...members.values()].map((m) => m.tunnel),
    dial: (nodeName, target, timeoutMs) => {
      const tunnel = members.get(nodeName)?.tunnel;
      if (tunnel === undefined) return Promise.reject(new DialError('UNAVAILABLE', `node "${nodeName}" has no tunnel to this server`));
      return tunnel.dial(target, timeoutMs);
    },
    awaitTunnel: async (nodeName, timeoutMs, signal) => {
      if (members.get(nodeName)?.tunnel.open === true) return true;
      return await new Promise<boolean>((resolve) => {
        const end = (came: boolean): void => {
          timer[Symbol.dispose]();
          signal.removeEventListener('abort', onAbort);
          waiting.delete(onJoin);
          if (waiting.size === 0) awaited.delete(nodeName);
          resolve(came);
        };
        const onJoin = (): void => end(true);
        const onAbort = (): void => end(false);
        const waiting = awaited.get(nodeName) ?? new Set();
        awaited.set(nodeName, waiting.add(onJoin));
        const timer = clock.after(timeoutMs, onAbort);
        signal.addEventListener('abort', onAbort, { once: true });
      });
    },
    join: (tunnel, checkIdentity) => {
      const older = members.get(tunnel.nodeName);
      const member: Member = { tunnel, checkIdentity, heardMs: clock.monotonicMs(), asking: false };
      members.set(tunnel.nodeName, member);
      older?.tunnel.end(grpcStatus.aborted, 'a newer tunnel of this node has come');
      tunnel.session?.on('ping', () => {
        member.heardMs = clock.monotonicMs();
      });
      log.info({ node: tunnel.nodeName, again: older !== undefined }, 'a node has opened its tunnel');
      for (const onJoin of awaited.get(tunnel.nodeName) ?? []) onJoin();
    },
    leave,
    run: async (signal) => {
      while (!signal.aborted) {
        await clock.sleep(checkIntervalMs, signal).catch(() => undefined);
        if (!signal.aborted) await Promise.all([...members.values()].map(check));
      }
      for (const { tunnel } of members.values()) {
        tunnel.end(grpcStatus.unavailable, 'the server is stopping');
        leave(tunnel);
      }
    },
  };
}

import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { DialError, describeDialFailure, type TunnelTarget } from '@skiff/tunnel';
import type { Tunnels } from './tunnels.ts';

export const dialModes = ['prefer-tunnel', 'tunnel', 'direct'] as const;
/** How nodes and what runs on them are reached. */
export type DialMode = (typeof dialModes)[number];

/** Something to connect to. Without a node, or without what the node calls it, only the direct way is open. */
export interface Route {
  readonly node?: string;
  readonly target?: TunnelTarget;
  /** For the direct way. */
  readonly host: string;
  readonly port: number;
}

/**
 * Makes connections to kubelets and pods: what is above (TLS, HTTP) does not see which way they go. Whoever resolves a Service to
 * a pod (proxies, webhooks, aggregated APIs) names the pod's node in the route.
 */
export interface Dialer {
  /** Rejects with DialError, in the words of Go's dialer. Takes at most twice `timeoutMs`: for the tunnel, then for the direct way. */
  dial(route: Route): Promise<Duplex>;
}

function dialDirectly(route: Route, timeoutMs: number): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: route.host, port: route.port, noDelay: true, keepAlive: true, allowHalfOpen: true });
    const timer = setTimeout(() => socket.destroy(Object.assign(new Error('timed out'), { code: 'ETIMEDOUT' })), timeoutMs);
    const fail = (error: Error): void => {
      clearTimeout(timer);
      reject(new DialError('UNREACHABLE', describeDialFailure(error, route.host, route.port)));
    };
    socket.once('error', fail);
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.off('error', fail);
      resolve(socket);
    });
  });
}

export function createDialer(
  config: { mode: DialMode; timeoutMs: number },
  deps: { tunnels: Pick<Tunnels, 'dial' | 'awaitTunnel'> },
): Dialer {
  const { mode, timeoutMs } = config;
  return {
    dial: async (route) => {
      const { node, target } = route;
      if (mode === 'direct' || node === undefined || target === undefined) {
        if (mode === 'tunnel') throw new DialError('FORBIDDEN', `${route.host}:${route.port} is not reached through a tunnel`);
        return await dialDirectly(route, timeoutMs);
      }
      let missing: DialError;
      try {
        return await deps.tunnels.dial(node, target, timeoutMs);
      } catch (error) {
        // What the node has tried, or refuses to try, is not tried again from here.
        if (mode === 'tunnel' || !(error instanceof DialError) || error.reason !== 'UNAVAILABLE') throw error;
        missing = error;
      }
      // A node that opens its tunnel meanwhile (this server has just started, say) is not kept waiting for the direct way to fail.
      const late = new AbortController();
      const direct = dialDirectly(route, timeoutMs);
      try {
        const came = deps.tunnels
          .awaitTunnel(node, timeoutMs, late.signal)
          .then((is) => (is ? deps.tunnels.dial(node, target, timeoutMs) : direct));
        const first = await Promise.any([direct, came]);
        // Whichever is second is not wanted.
        for (const other of [direct, came])
          void other.then(
            (c) => void (c !== first && c.destroy()),
            () => undefined,
          );
        return first;
      } catch {
        const { message } = await direct.then(
          () => missing,
          (error: Error) => error,
        );
        throw new DialError('UNREACHABLE', `${message} (${missing.message})`);
      } finally {
        late.abort();
      }
    },
  };
}

import type { Http2ServerRequest } from 'node:http2';
import { StatusError } from '@skiff/apimachinery';
import type { Clock, Logger } from '@skiff/component-base';
import { dialIdHeader, drainRequest, drainResponse, nodeMessage, tunnelService, WireError } from '@skiff/tunnel';
import { nodeIdentity } from '../authz/node.ts';
import type { UserInfo } from '../contract.ts';
import { type Exchange, header } from '../server/exchange.ts';
import type { DrainCoordinator } from './drain.ts';
import { NodeTunnel } from './node-tunnel.ts';
import { grpcStatus, refuseCall, ServerCall } from './server-call.ts';
import type { Tunnels } from './tunnels.ts';

export interface TunnelServiceConfig {
  /** Of one node at once. */
  readonly maxConnections: number;
}

export interface TunnelService {
  /** Whether a request is for this service and not for the API. */
  handles(x: Exchange): boolean;
  /** Takes the request over; never throws. */
  serve(x: Exchange): Promise<void>;
}

/** From Welcome to Register: one round trip, unless the client has this tunnel already. */
const registerMs = 10_000;
/** What a node may have under way beside connections. */
const spareStreams = 64;
const sessionWindowBytes = 8 * 1024 * 1024;

/** Serves `skiff.tunnel.v1.Tunnel` on the port of the API. */
export function createTunnelService(
  config: TunnelServiceConfig,
  deps: {
    tunnels: Tunnels;
    drains: DrainCoordinator;
    authenticate: (x: Exchange) => Promise<UserInfo>;
    stopping: AbortSignal;
    clock: Clock;
    log: Logger;
  },
): TunnelService {
  const { tunnels, drains, authenticate, clock, log } = deps;

  /** The node that a client is, or undefined when the call was refused. */
  const identify = async (x: Exchange): Promise<string | undefined> => {
    try {
      const user = await authenticate(x);
      const name = nodeIdentity(user);
      if (name !== undefined && name !== '') return name;
      refuseCall(x, grpcStatus.permissionDenied, `user ${JSON.stringify(user.name)} is no node`);
    } catch (error) {
      if (!(error instanceof StatusError)) log.error({ err: error }, 'a tunnel could not be authenticated');
      refuseCall(x, grpcStatus.unauthenticated, (error as Error).message);
    }
    return undefined;
  };
  /** Throws when the client's certificate is no longer the node's. */
  const stillIs = (x: Exchange, nodeName: string) => async (): Promise<void> => {
    if (nodeIdentity(await authenticate(x)) !== nodeName) throw new Error('the certificate is not the one of the node');
  };

  const serveOpen = (x: Exchange, nodeName: string): void => {
    let registered = false;
    const call: ServerCall = new ServerCall(x, {
      message: (bytes) => {
        const m = nodeMessage.decode(bytes);
        if (m.register && !registered) {
          registered = true;
          deadline[Symbol.dispose]();
          call.session?.settings({ maxConcurrentStreams: config.maxConnections + spareStreams });
          call.session?.setLocalWindowSize(sessionWindowBytes);
          tunnels.join(tunnel, stillIs(x, nodeName));
        }
        if (m.dialFailed) tunnel.dialFailed(m.dialFailed);
        if (m.addressesDrained) tunnel.addressesDrained(m.addressesDrained);
      },
      end: () => call.finish(),
      closed: () => {
        deadline[Symbol.dispose]();
        tunnels.leave(tunnel);
      },
    });
    const tunnel = new NodeTunnel({ nodeName, maxConnections: config.maxConnections }, call);
    const deadline = clock.after(registerMs, () => call.finish(grpcStatus.deadlineExceeded, 'Register did not come'));
    tunnel.send({ welcome: { serverId: tunnels.serverId } });
  };
  const serveConnect = (x: Exchange, nodeName: string): void => {
    // Only the node that was asked has the id in its map.
    if (tunnels.get(nodeName)?.accept(header(x.request, dialIdHeader), x) !== true)
      refuseCall(x, grpcStatus.notFound, 'nobody waits for this connection');
  };
  const serveDrain = (x: Exchange, nodeName: string): void => {
    let asked = false;
    let gone = false;
    const call: ServerCall = new ServerCall(x, {
      message: (bytes) => {
        if (asked) throw new WireError('one request is enough');
        asked = true;
        drains
          .drain(nodeName, drainRequest.decode(bytes))
          .then((answer) => {
            if (gone) return;
            call.write([drainResponse.encode(answer)]);
            call.finish();
          })
          .catch((error: unknown) => {
            const notFound = error instanceof StatusError;
            if (!notFound) log.error({ err: error }, 'a drain failed');
            call.finish(notFound ? grpcStatus.permissionDenied : grpcStatus.internal, (error as Error).message);
          });
      },
      closed: () => {
        gone = true;
      },
    });
  };
  const methods: Readonly<Record<string, (x: Exchange, nodeName: string) => void>> = {
    Open: serveOpen,
    Connect: serveConnect,
    Drain: serveDrain,
  };

  return {
    handles: (x) => 'stream' in x.request && x.request.method === 'POST' && (x.request.url ?? '').startsWith(tunnelService),
    serve: async (x) => {
      const request = x.request as Http2ServerRequest;
      const method = methods[request.url.slice(tunnelService.length)];
      if (!header(request, 'content-type').startsWith('application/grpc')) {
        x.response.statusCode = 415;
        x.response.end();
        return;
      }
      if (method === undefined) return refuseCall(x, grpcStatus.unimplemented, 'there is no such method');
      if (deps.stopping.aborted) return refuseCall(x, grpcStatus.unavailable, 'the server is stopping');
      const nodeName = await identify(x);
      if (nodeName !== undefined && !request.stream.destroyed) method(x, nodeName);
    },
  };
}

import { readFile } from 'node:fs/promises';
import type { ClientConfig, ControlPlane, PemSource } from '@skiff/client';
import { aborted, type Clock, type Logger } from '@skiff/component-base';
import type { DrainRequest, DrainResponse } from '@skiff/tunnel';
import type { KubeletParts } from '../kubelet.ts';
import type { ConnectionInlet } from '../server/server.ts';
import { connectTarget } from './connect-target.ts';
import { createNodeTunnels, type NodeTunnels, type TunnelCredentials } from './node-tunnels.ts';
import { drainAtProxy } from './proxy-control.ts';

export interface TunnelsConfig {
  readonly enabled: boolean;
  readonly maxConnections: number;
  readonly proxyControlSocket: string | undefined;
}

export interface Tunnels {
  /** See NodeTunnels. */
  drain(request: DrainRequest, timeoutMs: number): Promise<DrainResponse | undefined>;
  run(signal: AbortSignal): Promise<void>;
}

const readPem = async (source: PemSource | undefined): Promise<string | undefined> =>
  source === undefined ? undefined : 'pem' in source ? source.pem : await readFile(source.file, 'utf8');

async function readCredentials(client: ClientConfig): Promise<TunnelCredentials> {
  const [ca, cert, key] = await Promise.all([
    readPem(client.certificateAuthority),
    readPem(client.clientCertificate),
    readPem(client.clientKey),
  ]);
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(client.tlsServerName === undefined ? {} : { serverName: client.tlsServerName }),
    ...(client.insecureSkipTlsVerify === true ? { insecure: true } : {}),
  };
}

/** The node's tunnels, with the kubelet behind them. gRPC is loaded when they run. */
export function createTunnels(
  config: TunnelsConfig,
  deps: {
    controlPlane: Pick<ControlPlane, 'config' | 'servers'>;
    parts: Promise<KubeletParts>;
    inlet: ConnectionInlet;
    clock: Clock;
    log: Logger;
  },
): Tunnels {
  const { clock, log } = deps;
  const { config: client, servers } = deps.controlPlane;
  let tunnels: NodeTunnels | undefined;
  return {
    drain: async (request, timeoutMs) => tunnels?.drain(request, timeoutMs),
    run: async (signal) => {
      if (!config.enabled) return aborted(signal);
      if (client.clientCertificate === undefined) {
        log.warn('no tunnel is opened: the kubeconfig has no client certificate, which says who this node is');
        return aborted(signal);
      }
      const parts = await deps.parts;
      const { createTunnelChannel } = await import('@skiff/tunnel/node');
      const socket = config.proxyControlSocket;
      tunnels = createNodeTunnels(
        { maxConnections: config.maxConnections },
        {
          servers,
          node: {
            connect: (dial) => connectTarget(dial, parts),
            serveKubelet: (connection) => deps.inlet.offer(connection),
            drain: async (address, lingerMs) => (socket === undefined ? 0 : await drainAtProxy(socket, address, lingerMs)),
          },
          credentials: () => readCredentials(client),
          createChannel: createTunnelChannel,
          clock,
          log: log.child({ part: 'tunnel' }),
          random: Math.random,
        },
      );
      await tunnels.run(signal);
    },
  };
}

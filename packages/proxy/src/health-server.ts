import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { aborted, type Logger } from '@skiff/component-base';
import type { DataStats } from './data/protocol.ts';
import type { ProxyMetrics } from './metrics.ts';

export interface HealthServer {
  /** Where pods reach /metrics through the DNS Service; undefined before `listening`. */
  readonly metricsPort: number | undefined;
  readonly listening: Promise<void>;
  run(signal: AbortSignal): Promise<void>;
}

interface Deps {
  readonly log: Logger;
  readonly metrics: ProxyMetrics;
  readonly isHealthy: () => boolean;
  readonly stats: () => Promise<DataStats | undefined>;
}

const listen = (server: Server, host: string, port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });

/** /healthz and /metrics on loopback, /metrics also on the link to the services namespace. An absent apiserver is no ill health. */
export function createHealthServer(config: { port: number; metricsAddress: string }, deps: Deps): HealthServer {
  const { metrics } = deps;
  let metricsPort: number | undefined;
  let markListening: () => void = () => undefined;
  const listening = new Promise<void>((resolve) => {
    markListening = resolve;
  });

  async function serveMetrics(response: ServerResponse): Promise<void> {
    const text = await metrics.text(await deps.stats());
    response.writeHead(200, { 'content-type': metrics.contentType }).end(text);
  }
  const handler = (withHealth: boolean) => (request: IncomingMessage, response: ServerResponse) => {
    const path = (request.url ?? '').split('?')[0];
    if (path === '/metrics') {
      serveMetrics(response).catch((error: unknown) => {
        deps.log.error({ err: error }, '/metrics');
        response.destroy();
      });
    } else if (withHealth && (path === '/healthz' || path === '/livez' || path === '/readyz')) {
      const healthy = deps.isHealthy();
      response
        .writeHead(healthy ? 200 : 503, { 'content-type': 'text/plain; charset=utf-8' })
        .end(healthy ? 'ok' : 'proxy-data does not answer');
    } else response.writeHead(404).end();
  };

  return {
    get metricsPort() {
      return metricsPort;
    },
    listening,
    run: async (signal) => {
      const loopback = createServer(handler(true));
      const link = createServer(handler(false));
      try {
        if (config.port > 0) await listen(loopback, '127.0.0.1', config.port);
        await listen(link, config.metricsAddress, 0);
        const address = link.address();
        metricsPort = typeof address === 'object' && address !== null ? address.port : undefined;
        markListening();
        await aborted(signal);
      } finally {
        for (const server of [loopback, link]) {
          server.close();
          server.closeAllConnections();
        }
      }
    },
  };
}

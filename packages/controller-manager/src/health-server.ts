import http from 'node:http';
import { aborted } from '@skiff/component-base';

export interface HealthServerConfig {
  /** 0: none. */
  readonly port: number;
  readonly host?: string;
}

/** /healthz, /livez, /readyz and /metrics over plain HTTP on the loopback. Resolves when `signal` has aborted and it is closed. */
export async function runHealthServer(
  config: HealthServerConfig,
  deps: { ready: () => boolean; metrics: () => string },
  signal: AbortSignal,
): Promise<void> {
  if (config.port === 0) return await aborted(signal);
  const server = http.createServer((request, response) => {
    const path = (request.url ?? '/').split('?')[0];
    if (path === '/healthz' || path === '/livez') response.end('ok');
    else if (path === '/readyz') response.writeHead(deps.ready() ? 200 : 503).end(deps.ready() ? 'ok' : 'informers have not synced');
    else if (path === '/metrics') response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' }).end(deps.metrics());
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(config.port, config.host ?? '127.0.0.1', () => resolve());
  });
  await aborted(signal);
  server.closeAllConnections();
  await new Promise<void>((resolve) => server.close(() => resolve()));
}

import http from 'node:http';
import { aborted } from '@skiff/component-base';

export interface HealthServerDependencies {
  readonly ready: () => boolean;
  readonly metrics: () => string;
  /** `/explain?namespace=…&name=…`: why a pod waits; undefined when it does not. */
  readonly explain: (key: { namespace: string; name: string }) => unknown;
}

/** /healthz, /livez, /readyz, /metrics and /explain over plain HTTP on the loopback. Resolves when `signal` has aborted and it is closed. */
export async function runHealthServer(
  config: { readonly port: number },
  deps: HealthServerDependencies,
  signal: AbortSignal,
): Promise<void> {
  if (config.port === 0) return await aborted(signal);
  const server = http.createServer((request, response) => {
    // No URL parser: it throws on `//`, and what throws here ends the process.
    const [path = '/', query = ''] = (request.url ?? '/').split('?', 2);
    switch (path) {
      case '/healthz':
      case '/livez':
        response.end('ok');
        return;
      case '/readyz':
        response.writeHead(deps.ready() ? 200 : 503).end(deps.ready() ? 'ok' : 'informers have not synced');
        return;
      case '/metrics':
        response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' }).end(deps.metrics());
        return;
      case '/explain': {
        const search = new URLSearchParams(query);
        const answer = deps.explain({ namespace: search.get('namespace') ?? 'default', name: search.get('name') ?? '' });
        response.writeHead(answer === undefined ? 404 : 200, { 'content-type': 'application/json' });
        response.end(JSON.stringify(answer ?? { message: 'no such pod waits for a node' }, null, 2));
        return;
      }
      default:
        response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(config.port, '127.0.0.1', () => resolve());
  });
  await aborted(signal);
  server.closeAllConnections();
  await new Promise<void>((resolve) => server.close(() => resolve()));
}

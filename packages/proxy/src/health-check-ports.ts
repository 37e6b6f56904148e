import { createServer, type Server } from 'node:http';
import { aborted, type Logger } from '@skiff/component-base';

export interface HealthCheck {
  /** `namespace/name` */
  readonly service: string;
  readonly port: number;
  readonly localEndpoints: number;
}

/** What is said on a Service's healthCheckNodePort: load balancers send only to nodes that answer 200. */
export function renderHealthCheck(check: HealthCheck): { code: number; body: string } {
  const [namespace = '', name = ''] = check.service.split('/');
  const body = { service: { namespace, name }, localEndpoints: check.localEndpoints, serviceProxyHealthy: true };
  return { code: check.localEndpoints > 0 ? 200 : 503, body: JSON.stringify(body) };
}

/** Listens on each healthCheckNodePort of Services with externalTrafficPolicy Local. */
export function createHealthCheckPorts(deps: { log: Logger }): {
  update(checks: readonly HealthCheck[]): void;
  run(signal: AbortSignal): Promise<void>;
} {
  const servers = new Map<number, Server>();
  let current = new Map<number, HealthCheck>();
  const open = (port: number): void => {
    const server = createServer((_request, response) => {
      const check = current.get(port);
      if (check === undefined) {
        response.writeHead(503).end();
        return;
      }
      const { code, body } = renderHealthCheck(check);
      response
        .writeHead(code, { 'content-type': 'application/json', 'x-load-balancing-endpoint-weight': String(check.localEndpoints) })
        .end(body);
    });
    server.on('error', (error) => {
      deps.log.error({ err: error, port }, "healthCheckNodePort can't be opened");
      servers.delete(port);
    });
    server.listen(port);
    servers.set(port, server);
  };
  const close = (port: number): void => {
    servers.get(port)?.close();
    servers.get(port)?.closeAllConnections();
    servers.delete(port);
  };
  return {
    update: (checks) => {
      current = new Map(checks.map((c) => [c.port, c]));
      for (const port of servers.keys()) if (!current.has(port)) close(port);
      for (const port of current.keys()) if (!servers.has(port)) open(port);
    },
    run: async (signal) => {
      await aborted(signal);
      for (const port of servers.keys()) close(port);
    },
  };
}

import { request as httpsRequest } from 'node:https';
import { type ClientHttp2Session, connect } from 'node:http2';
import { silentLogger, systemClock } from '@skiff/component-base';
import { createMemoryStore } from '@skiff/storage';
import { type ApiServerDeps, createApiServer } from '../src/api-server.ts';
import { standardAdmission } from '../src/admission/admission-config.ts';
import type { ApiServerConfig } from '../src/config.ts';
import { createTestPki, type Identity, type TestPki } from './test-pki.ts';

export interface Answer {
  readonly code: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

export interface TestServer extends AsyncDisposable {
  readonly port: number;
  readonly pki: TestPki;
  readonly admin: Identity;
  /** Over HTTP/1.1, a connection for each. */
  fetch(
    path: string,
    o?: { method?: string; identity?: Identity | undefined; headers?: Record<string, string>; body?: string | Buffer },
  ): Promise<Answer>;
  session(identity?: Identity): ClientHttp2Session;
  stop(): Promise<void>;
}

/** A real server on a free port, with its own CA and memory storage. */
export async function startTestServer(
  createRegistry: ApiServerDeps['createRegistry'],
  overrides: Partial<ApiServerConfig> = {},
): Promise<TestServer> {
  const pki = await createTestPki();
  const store = createMemoryStore({}, { clock: systemClock });
  const controller = new AbortController();
  const config: ApiServerConfig = {
    bindAddress: '127.0.0.1',
    securePort: 0,
    advertiseAddress: '192.0.2.1',
    keyPrefix: '/registry',
    tls: {
      certFile: pki.file('server.crt'),
      keyFile: pki.file('server.key'),
      clientCaFile: pki.file('ca.crt'),
      requestHeaderCaFile: undefined,
    },
    kubelet: {
      certFile: pki.file('server.crt'),
      keyFile: pki.file('server.key'),
      caFile: pki.file('ca.crt'),
      preferredAddressTypes: ['InternalIP'],
    },
    tunnel: { mode: 'prefer-tunnel', dialTimeoutMs: 5_000, maxConnections: 1000 },
    serviceAccounts: {
      keyFiles: [],
      signingKeyFile: pki.file('sa.key'),
      issuers: ['https://kubernetes.default.svc.cluster.local'],
      audiences: ['https://kubernetes.default.svc.cluster.local'],
      maxExpirationSeconds: undefined,
      jwksUri: undefined,
    },
    serviceClusterIpRanges: ['10.96.0.0/16'],
    serviceNodePortRange: { from: 30000, to: 32767 },
    authorization: { steps: [{ type: 'Node' }, { type: 'RBAC' }], file: undefined },
    anonymous: true,
    bootstrapTokens: true,
    allowPrivileged: true,
    defaultTolerations: { notReadySeconds: 300, unreachableSeconds: 300 },
    admission: standardAdmission,
    requestHeaderAllowedNames: [],
    proxyClient: { certFile: undefined, keyFile: undefined },
    inFlight: { readOnly: 400, mutating: 200 },
    componentHealth: {},
    priorityAndFairness: true,
    requestTimeoutMs: 60_000,
    shutdownDelayMs: 0,
    goawayChance: 0,
    ...overrides,
  };
  const server = createApiServer(config, { store, clock: systemClock, log: silentLogger, createRegistry });
  const running = server.run(controller.signal);
  running.catch(() => undefined);
  const { port } = await server.ready;
  const admin = await pki.client('kubernetes-admin', ['system:masters']);
  const stop = async (): Promise<void> => {
    controller.abort();
    await running;
  };
  return {
    port,
    pki,
    admin,
    stop,
    session: (identity = admin) => {
      const session = connect(`https://127.0.0.1:${port}`, { ca: pki.ca, ...identity });
      session.on('error', () => undefined);
      return session;
    },
    fetch: (path, o = {}) =>
      new Promise((resolve, reject) => {
        const identity = 'identity' in o ? o.identity : admin;
        const request = httpsRequest(
          { host: '127.0.0.1', port, path, method: o.method ?? 'GET', ca: pki.ca, ...identity, agent: false, headers: { ...o.headers } },
          (response) => {
            const pieces: Buffer[] = [];
            response.on('data', (p: Buffer) => pieces.push(p));
            response.on('end', () =>
              resolve({ code: response.statusCode ?? 0, headers: response.headers, text: Buffer.concat(pieces).toString() }),
            );
            response.on('error', reject);
          },
        );
        request.on('error', reject);
        request.end(o.body);
      }),
    [Symbol.asyncDispose]: async () => {
      await stop();
      await store[Symbol.asyncDispose]();
      await pki[Symbol.asyncDispose]();
    },
  };
}

/** One request on an HTTP/2 session. */
export function h2Request(
  session: ClientHttp2Session,
  headers: Record<string, string | string[]>,
  body?: string | Buffer,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const stream = session.request(headers);
    const pieces: Buffer[] = [];
    let received: Record<string, string | string[] | undefined> = {};
    stream.on('response', (h) => {
      received = h as typeof received;
    });
    stream.on('data', (p: Buffer) => pieces.push(p));
    stream.on('end', () => resolve({ code: Number(received[':status']), headers: received, text: Buffer.concat(pieces).toString() }));
    stream.on('error', reject);
    stream.end(body);
  });
}

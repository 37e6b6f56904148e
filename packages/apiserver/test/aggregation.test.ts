import { createServer, type Server } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRegistry } from '../src/registry/registry.ts';
import { createTestPki, type TestPki } from './test-pki.ts';
import { startTestServer, type TestServer } from './test-server.ts';

interface Seen {
  readonly url: string;
  readonly headers: IncomingMessage['headersDistinct'];
  readonly clientName: string;
  readonly body: string;
}

let pki: TestPki;
let server: TestServer;
let extension: Server;
let port: number;
let seen: Seen[] = [];
let healthy = true;

const group = 'fish.example.com';
const resources = {
  kind: 'APIResourceList',
  apiVersion: 'v1',
  groupVersion: `${group}/v1`,
  resources: [
    { name: 'trouts', singularName: 'trout', namespaced: true, kind: 'Trout', verbs: ['get', 'list'], shortNames: ['tr'] },
    { name: 'trouts/status', singularName: '', namespaced: true, kind: 'Trout', verbs: ['get'] },
  ],
};
const openApi = {
  swagger: '2.0',
  paths: { [`/apis/${group}/v1/trouts`]: { get: { responses: { 200: { schema: { $ref: '#/definitions/Trout' } } } } }, '/version': {} },
  definitions: { Trout: { type: 'object' }, Unused: { type: 'object' } },
};

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  const url = request.url ?? '';
  const subject = (request.socket as TLSSocket).getPeerCertificate().subject as { CN?: string } | undefined;
  if (url.startsWith(`/apis/${group}/v1/`)) {
    seen.push({ url, headers: request.headersDistinct, clientName: subject?.CN ?? '', body: Buffer.concat(pieces).toString() });
  }
  const json = (code: number, value: unknown): void => {
    response.writeHead(code, { 'content-type': 'application/json', 'x-extension': 'yes' });
    response.end(JSON.stringify(value));
  };
  if (!healthy) return json(500, {});
  if (url === `/apis/${group}/v1`) return json(200, resources);
  if (url === '/openapi/v2') return json(200, openApi);
  if (url === '/openapi/v3') {
    const serverRelativeURL = `/openapi/v3/apis/${group}/v1?hash=1`;
    return json(200, { paths: { [`apis/${group}/v1`]: { serverRelativeURL } } });
  }
  if (url.startsWith('/openapi/v3/')) return json(200, { openapi: '3.0.0', info: { title: 'fish' } });
  if (url.includes('watch=true')) {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.write('{"type":"ADDED"}\n');
    return;
  }
  if (url.startsWith(`/apis/${group}/v1/`))
    return json(request.method === 'POST' ? 201 : 200, { kind: 'TroutList', method: request.method });
  json(404, {});
}

const asJson = (text: string): Record<string, unknown> => JSON.parse(text) as Record<string, unknown>;
const create = async (path: string, body: unknown): Promise<void> => {
  const { code, text } = await server.fetch(path, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json' },
  });
  if (code !== 201) throw new Error(text);
};
type Condition = { type: string; status: string; reason: string; message: string };
/** The condition Available, once it is what is wanted. */
async function available(wanted: (c: Condition) => boolean): Promise<Condition> {
  const session = server.session();
  try {
    return await new Promise((resolve, reject) => {
      const stream = session.request({
        ':path':
          '/apis/apiregistration.k8s.io/v1/apiservices?watch=true&resourceVersion=0&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true',
      });
      let text = '';
      stream.on('error', reject);
      stream.on('data', (piece: Buffer) => {
        text += piece.toString();
        for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n')) {
          const { object } = JSON.parse(text.slice(0, at)) as {
            object: { metadata: { name?: string }; status?: { conditions?: Condition[] } };
          };
          text = text.slice(at + 1);
          const condition = object.status?.conditions?.find((c) => c.type === 'Available');
          if (object.metadata.name === `v1.${group}` && condition !== undefined && wanted(condition)) {
            stream.close();
            resolve(condition);
          }
        }
      });
    });
  } finally {
    session.close();
  }
}

beforeAll(async () => {
  pki = await createTestPki();
  const [own, frontProxy] = await Promise.all([pki.server('fish.default.svc'), pki.client('front-proxy-client')]);
  await Promise.all([writeFile(pki.file('front-proxy.crt'), frontProxy.cert), writeFile(pki.file('front-proxy.key'), frontProxy.key)]);
  await writeFile(
    pki.file('policy.json'),
    JSON.stringify({ apiVersion: 'audit.k8s.io/v1', kind: 'Policy', rules: [{ level: 'Metadata' }] }),
  );
  const batch = { bufferSize: 1, maxSize: 1, maxWaitMs: 0, throttle: undefined };
  const file = { path: pki.file('audit.log'), maxAgeDays: 0, maxBackups: 0, maxSizeMegabytes: 0, format: 'json', compress: false } as const;
  server = await startTestServer(createRegistry, {
    audit: { policyFile: pki.file('policy.json'), log: { mode: 'blocking', batch, truncate: undefined, ...file }, webhook: undefined },
    proxyClient: { certFile: pki.file('front-proxy.crt'), keyFile: pki.file('front-proxy.key') },
  });
  extension = createServer(
    {
      ...own,
      ca: pki.ca,
      requestCert: true,
      rejectUnauthorized: true,
    },
    (request, response) => void answer(request, response),
  );
  extension.on('upgrade', (request, socket) => {
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Who: as ${String(request.headers['x-remote-user'])}\r\n\r\nhello`,
    );
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => extension.listen(0, '127.0.0.1', resolve));
  port = (extension.address() as AddressInfo).port;
});
afterAll(async () => {
  extension.closeAllConnections();
  extension.close();
  await server[Symbol.asyncDispose]();
  await pki[Symbol.asyncDispose]();
});

describe('API aggregation', () => {
  it('registers what is built in', async () => {
    const { text } = await server.fetch('/apis/apiregistration.k8s.io/v1/apiservices/v2.autoscaling');
    expect(asJson(text)).toMatchObject({
      metadata: { labels: { 'kube-aggregator.kubernetes.io/automanaged': 'onstart' } },
      spec: { group: 'autoscaling', version: 'v2', groupPriorityMinimum: 17500, versionPriority: 30 },
      status: { conditions: [{ type: 'Available', status: 'True', reason: 'Local', message: 'Local APIServices are always available' }] },
    });
  });

  it('says why an extension is not available, and answers 503 for it', async () => {
    await create('/apis/apiregistration.k8s.io/v1/apiservices', {
      metadata: { name: `v1.${group}` },
      spec: {
        group,
        version: 'v1',
        groupPriorityMinimum: 17790,
        versionPriority: 10,
        service: { namespace: 'default', name: 'fish', port },
        caBundle: Buffer.from(pki.ca).toString('base64'),
      },
    });
    const missing = await available((c) => c.status === 'False');
    expect(missing).toMatchObject({ reason: 'ServiceNotFound', message: 'service/fish in "default" is not present' });
    const refused = await server.fetch(`/apis/${group}/v1/trouts`);
    expect([refused.code, refused.text]).toEqual([503, 'service unavailable\n']);
    // Its group is there, without what can't be known.
    const { text } = await server.fetch('/apis', {
      headers: { accept: 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList' },
    });
    const { items } = asJson(text) as { items: { metadata: { name: string }; versions: unknown[] }[] };
    expect(items.find((i) => i.metadata.name === group)?.versions).toEqual([{ version: 'v1', freshness: 'Stale' }]);
  });

  it('hands requests on, with who asks and nothing that pretends to be it', async () => {
    await create('/api/v1/namespaces/default/services', {
      metadata: { name: 'fish' },
      spec: { type: 'ExternalName', externalName: 'localhost' },
    });
    expect(await available((c) => c.status === 'True')).toMatchObject({ reason: 'Passed', message: 'all checks passed' });
    seen = [];
    const listed = await server.fetch(`/apis/${group}/v1/trouts?limit=5`, {
      headers: {
        'x-remote-user': 'evil',
        'x-remote-group': 'evil',
        'x-remote-extra-a': 'b',
        'impersonate-user': 'al%ice',
        'impersonate-group': 'system:masters',
        'impersonate-extra-scopes': 'x',
      },
    });
    expect([listed.code, asJson(listed.text), listed.headers['x-extension']]).toEqual([200, { kind: 'TroutList', method: 'GET' }, 'yes']);
    const made = await server.fetch(`/apis/${group}/v1/namespaces/default/trouts`, { method: 'POST', body: '{"kind":"Trout"}' });
    expect([made.code, seen[1]?.body]).toEqual([201, '{"kind":"Trout"}']);
    expect(seen[0]).toMatchObject({ url: `/apis/${group}/v1/trouts?limit=5`, clientName: 'front-proxy-client' });
    const { headers } = seen[0] as Seen;
    expect(headers['x-remote-user']).toEqual(['al%ice']);
    expect(headers['x-remote-group']?.join(',').split(/,\s*/)).toEqual(['system:masters', 'system:authenticated']);
    expect(headers['x-remote-extra-scopes']).toEqual(['x']);
    for (const name of ['x-remote-extra-a', 'impersonate-user', 'authorization']) expect(headers[name]).toBeUndefined();
  });

  it('asks the authorizers of this server', async () => {
    const nobody = await server.pki.client('nobody', []);
    seen = [];
    expect((await server.fetch(`/apis/${group}/v1/trouts`, { identity: nobody })).code).toBe(403);
    expect(seen).toEqual([]);
  });

  it('streams watches', async () => {
    const session = server.session();
    const stream = session.request({ ':path': `/apis/${group}/v1/trouts?watch=true` });
    const first = await new Promise<string>((resolve, reject) => {
      stream.once('data', (piece: Buffer) => resolve(piece.toString()));
      stream.once('error', reject);
    });
    expect(first).toBe('{"type":"ADDED"}\n');
    stream.close();
    session.close();
  });

  it('hands connections over that ask for another protocol', async () => {
    const own = connectTls({ host: '127.0.0.1', port: server.port, ca: pki.ca, ...server.admin, rejectUnauthorized: false });
    own.write(
      `GET /apis/${group}/v1/namespaces/default/trouts/a/exec HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Remote-User: evil\r\n\r\n`,
    );
    let text = '';
    await new Promise<void>((resolve, reject) => {
      own.on('error', reject);
      own.on('data', (piece: Buffer) => {
        text += piece.toString();
        if (text.endsWith('ping')) resolve();
        else if (text.endsWith('hello')) own.write('ping');
      });
    });
    own.destroy();
    expect(text).toMatch(/^HTTP\/1\.1 101 /);
    expect(text).toContain('as kubernetes-admin');
  });

  it('shows extensions in discovery by their priority, and in OpenAPI', async () => {
    const { text } = await server.fetch('/apis');
    const names = (asJson(text) as { groups: { name: string }[] }).groups.map((g) => g.name);
    expect(names.slice(0, 3)).toEqual(['apiregistration.k8s.io', 'apps', group]);
    expect(asJson((await server.fetch(`/apis/${group}`)).text)).toMatchObject({ kind: 'APIGroup', preferredVersion: { version: 'v1' } });
    expect(asJson((await server.fetch(`/apis/${group}/v1`)).text)).toEqual(resources);
    const versions = async (): Promise<unknown> => {
      const aggregated = await server.fetch('/apis', {
        headers: { accept: 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList' },
      });
      const { items } = asJson(aggregated.text) as { items: { metadata: { name: string }; versions: unknown[] }[] };
      return items.find((i) => i.metadata.name === group)?.versions;
    };
    // Its documents are fetched beside everything else.
    await expect.poll(versions).toEqual([
      {
        version: 'v1',
        resources: [
          {
            resource: 'trouts',
            responseKind: { group, version: 'v1', kind: 'Trout' },
            scope: 'Namespaced',
            singularResource: 'trout',
            verbs: ['get', 'list'],
            shortNames: ['tr'],
            subresources: [{ subresource: 'status', responseKind: { group, version: 'v1', kind: 'Trout' }, verbs: ['get'] }],
          },
        ],
        freshness: 'Current',
      },
    ]);
    const v2 = asJson((await server.fetch('/openapi/v2')).text) as { paths: object; definitions: object };
    expect(v2.paths).toHaveProperty([`/apis/${group}/v1/trouts`]);
    expect(v2.definitions).toHaveProperty('Trout');
    expect(v2.definitions).not.toHaveProperty('Unused');
    const index = asJson((await server.fetch('/openapi/v3')).text) as { paths: Record<string, { serverRelativeURL: string }> };
    const url = index.paths[`apis/${group}/v1`]?.serverRelativeURL ?? '';
    expect(asJson((await server.fetch(url)).text)).toMatchObject({ info: { title: 'fish' } });
  });

  it('notices a server that fails', async () => {
    healthy = false;
    // Whatever changes the APIService has it looked at again.
    const path = `/apis/apiregistration.k8s.io/v1/apiservices/v1.${group}`;
    await server.fetch(path, {
      method: 'PATCH',
      body: '{"spec":{"versionPriority":11}}',
      headers: { 'content-type': 'application/merge-patch+json' },
    });
    const failed = await available((c) => c.status === 'False');
    expect(failed.reason).toBe('FailedDiscoveryCheck');
    expect(failed.message).toMatch(
      /^failing or missing response from https:\/\/localhost:\d+\/apis\/fish\.example\.com\/v1: bad status from /,
    );
    expect((await server.fetch(`/apis/${group}/v1/trouts`)).code).toBe(503);
    healthy = true;
    await available((c) => c.status === 'True');
  });

  it('records what was asked of extensions', async () => {
    const lines = async (): Promise<{ stage: string; requestURI: string; responseStatus?: { code: number } }[]> =>
      (await readFile(pki.file('audit.log'), 'utf8'))
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as { stage: string; requestURI: string });
    const of = async (path: string): Promise<string[]> =>
      (await lines()).filter((l) => l.requestURI === `/apis/${group}/v1/${path}`).map((l) => `${l.stage} ${l.responseStatus?.code ?? ''}`);
    await server.fetch(`/apis/${group}/v1/trouts/recorded`);
    await expect.poll(() => of('trouts/recorded')).toEqual(['RequestReceived ', 'ResponseComplete 200']);
    await expect.poll(() => of('trouts?watch=true')).toEqual(['RequestReceived ', 'ResponseStarted 200', 'ResponseComplete 200']);
  });

  it('lets go of what is deleted', async () => {
    await server.fetch(`/apis/apiregistration.k8s.io/v1/apiservices/v1.${group}`, { method: 'DELETE' });
    for (const path of [`/apis/${group}/v1/trouts`, `/apis/${group}`])
      await expect.poll(async () => (await server.fetch(path)).code).toBe(404);
  });
});

import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { node, pod, type Node, type Pod } from '@skiff/api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createStubRegistry } from './stub-registry.ts';
import { startTestServer, type TestServer } from './test-server.ts';

const registry = createStubRegistry();
let server: TestServer;
let kubelet: Server;
const asked: { method: string | undefined; url: string | undefined; headers: NodeJS.Dict<string | string[]> }[] = [];

const podNamed = (name: string, containers: readonly string[], nodeName: string): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'a' },
  spec: { nodeName, containers: containers.map((c) => ({ name: c })) } as NonNullable<Pod['spec']>,
  status: { podIP: '127.0.0.1' },
});

beforeAll(async () => {
  server = await startTestServer(() => registry);
  kubelet = createServer(
    { cert: readFileSync(server.pki.file('server.crt')), key: readFileSync(server.pki.file('server.key')) },
    (request, response) => {
      asked.push({ method: request.method, url: request.url, headers: request.headers });
      if (request.url?.startsWith('/containerLogs/')) {
        response.write('line 1\n');
        response.end('line 2\n');
      } else {
        response.writeHead(404);
        response.end('container not found ("x")');
      }
    },
  );
  kubelet.on('upgrade', (request, socket, head: Buffer) => {
    asked.push({ method: request.method, url: request.url, headers: request.headers });
    if (request.url?.includes('command=refuse')) {
      socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 12\r\nConnection: close\r\n\r\nnot like so!');
      return;
    }
    if (request.url?.includes('command=redirect')) {
      socket.end('HTTP/1.1 302 Found\r\nLocation: https://127.0.0.1/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
      return;
    }
    socket.write(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\nhello ',
    );
    if (head.length > 0) socket.write(head);
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => kubelet.listen(0, '127.0.0.1', resolve));
  const port = (kubelet.address() as AddressInfo).port;
  const host: Node = {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'n1' },
    status: { addresses: [{ type: 'InternalIP', address: '127.0.0.1' }], daemonEndpoints: { kubeletEndpoint: { Port: port } } },
  };
  await registry.objects.create<Node>(node, host);
  await registry.objects.create<Pod>(pod, podNamed('one', ['c'], 'n1'));
  await registry.objects.create<Pod>(pod, podNamed('two', ['c', 'd'], 'n1'));
  await registry.objects.create<Pod>(pod, podNamed('pending', ['c'], ''));
});
afterAll(async () => {
  kubelet.closeAllConnections();
  kubelet.close();
  await server[Symbol.asyncDispose]();
});

const message = (text: string): string => (JSON.parse(text) as { message: string }).message;

describe('pods/log', () => {
  it('passes the text on', async () => {
    const r = await server.fetch('/api/v1/namespaces/a/pods/one/log?tailLines=5&timestamps=true');
    expect([r.code, r.headers['content-type'], r.text]).toEqual([200, 'text/plain', 'line 1\nline 2\n']);
    expect(asked.at(-1)?.url).toBe('/containerLogs/a/one/c?timestamps=true&tailLines=5&stream=All');
    expect(asked.at(-1)?.headers['authorization']).toBeUndefined();
  });
  it('asks which container is meant', async () => {
    const r = await server.fetch('/api/v1/namespaces/a/pods/two/log');
    expect([r.code, message(r.text)]).toEqual([400, 'a container name must be specified for pod two, choose one of: [c d]']);
    const bad = await server.fetch('/api/v1/namespaces/a/pods/two/log?container=x');
    expect(message(bad.text)).toBe('container x is not valid for pod two');
  });
  it('checks its options', async () => {
    const r = await server.fetch('/api/v1/namespaces/a/pods/one/log?tailLines=-1&limitBytes=0');
    expect([r.code, message(r.text)]).toEqual([
      422,
      'PodLogOptions "one" is invalid: [tailLines: Invalid value: -1: must be greater than or equal to 0, limitBytes: Invalid value: 0: must be greater than 0]',
    ]);
    expect((await server.fetch('/api/v1/namespaces/a/pods/none/log')).code).toBe(404);
    expect(await server.fetch('/api/v1/namespaces/a/pods/pending/log')).toMatchObject({ code: 204, text: '' });
    const early = await server.fetch('/api/v1/namespaces/a/pods/none/log?sinceTime=2026');
    expect([early.code, message(early.text)]).toEqual([400, 'parsing time "2026" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "-"']);
    expect((await server.fetch('/api/v1/namespaces/a/pods/none/log?sinceTime=null')).code).toBe(404);
  });
});

/** A raw HTTP/1.1 connection as the admin, or as someone else. */
function upgrade(
  path: string,
  o: { method?: string; headers?: readonly string[]; identity?: { cert: string; key: string } } = {},
): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const identity = o.identity ?? server.admin;
    const socket = connect(
      { host: '127.0.0.1', port: server.port, ca: server.pki.ca, cert: identity.cert, key: identity.key, ALPNProtocols: ['http/1.1'] },
      () => {
        const head = [
          `${o.method ?? 'POST'} ${path} HTTP/1.1`,
          'Host: localhost',
          'Connection: Upgrade',
          'Upgrade: SPDY/3.1',
          ...(o.headers ?? []),
        ];
        socket.write(`${head.join('\r\n')}\r\n\r\n`);
        resolve(socket);
      },
    );
    socket.once('error', reject);
  });
}
const readUntil = (socket: TLSSocket, wanted: string): Promise<string> =>
  new Promise((resolve) => {
    let text = '';
    const check = (piece: Buffer): void => {
      text += piece.toString();
      if (text.includes(wanted)) resolve(text);
    };
    socket.on('data', check);
    socket.once('close', () => resolve(text));
  });

describe('exec', () => {
  const path = '/api/v1/namespaces/a/pods/one/exec?command=echo&command=a+b&stdout=true&stdin=true';
  it('splices once the kubelet agrees', async () => {
    const socket = await upgrade(path, {
      headers: ['X-Stream-Protocol-Version: v4.channel.k8s.io', 'X-Stream-Protocol-Version: v3.channel.k8s.io'],
    });
    const answer = await readUntil(socket, 'hello ');
    expect(answer).toMatch(/^HTTP\/1\.1 101 /);
    expect(answer).toContain('X-Stream-Protocol-Version: v4.channel.k8s.io');
    const echoed = readUntil(socket, 'ping');
    socket.write('ping');
    expect(await echoed).toBe('ping');
    socket.destroy();
    expect(asked.at(-1)).toMatchObject({ method: 'POST', url: '/exec/a/one/c?input=1&output=1&command=echo&command=a+b' });
    expect(asked.at(-1)?.headers['x-stream-protocol-version']).toBe('v4.channel.k8s.io, v3.channel.k8s.io');
  });
  it('relays refusals and never redirects', async () => {
    const refused = await readUntil(await upgrade(path.replace('command=echo', 'command=refuse')), '"code":400');
    expect(refused).toMatch(/^HTTP\/1\.1 400 /);
    expect(refused).toContain('not like so!');
    const redirected = await readUntil(await upgrade(path.replace('command=echo', 'command=redirect')), '"code":502');
    expect(redirected).toMatch(/^HTTP\/1\.1 502 /);
    expect(redirected).not.toContain('Location');
  });
  it('needs an upgrade, streams and a host', async () => {
    const plain = await server.fetch(path, { method: 'POST' });
    expect([plain.code, message(plain.text)]).toEqual([400, 'Upgrade request required']);
    const none = await server.fetch('/api/v1/namespaces/a/pods/one/exec?command=x', { method: 'POST' });
    expect(message(none.text)).toBe('you must specify at least 1 of stdin, stdout, stderr');
    const pending = await server.fetch('/api/v1/namespaces/a/pods/pending/exec?command=x&stdout=1', { method: 'POST' });
    expect(message(pending.text)).toBe('pod pending does not have a host assigned');
  });
  it('goes through the same checks as every request', async () => {
    const identity = await server.pki.client('alice');
    const answer = await readUntil(await upgrade(path, { identity }), '"code":403');
    expect(answer).toMatch(/^HTTP\/1\.1 403 /);
    expect(answer).toContain('User \\"alice\\" cannot create resource \\"pods/exec\\"');
  });
});

describe('proxies', () => {
  it('refuse addresses that are nobody else’s', async () => {
    for (const path of ['/api/v1/namespaces/a/pods/one/proxy/', '/api/v1/nodes/n1/proxy/']) {
      const r = await server.fetch(path);
      expect([r.code, message(r.text)]).toEqual([400, 'address not allowed']);
    }
    expect((await server.fetch('/api/v1/namespaces/a/pods/a:b:c:d/proxy/')).code).toBe(400);
  });
});

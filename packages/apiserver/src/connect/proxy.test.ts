import { Agent, createServer, request as httpRequest, type Server } from 'node:http';
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2';
import { type AddressInfo, connect, type Server as TcpServer } from 'node:net';
import { node, type Node } from '@skiff/api';
import { StatusError } from '@skiff/apimachinery';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeObjects } from '../object-access.fake.ts';
import { connectionOf, type HttpRequest, type HttpResponse } from '../server/exchange.ts';
import type { ConnectRequest } from './connect-handler.ts';
import { proxies } from './proxy.ts';

const smuggled = 'POST /run/default/one/c HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n';
const listen = async (s: { listen(port: number, host: string, done: () => void): unknown; address(): unknown }): Promise<number> => {
  await new Promise<void>((resolve) => s.listen(0, '127.0.0.1', resolve));
  return (s.address() as AddressInfo).port;
};

let agent: Agent;
let kubelet: Server;
let kubeletPort: number;
let seen: { request: string; body: string; framing: string }[];
let closing: (Server | TcpServer)[];
/** The verbs that were asked for beside the request's own. */
let asked: string[];

beforeEach(async () => {
  seen = [];
  asked = [];
  agent = new Agent({ keepAlive: true, maxSockets: 1 });
  kubelet = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      const { 'transfer-encoding': chunked, 'content-length': length } = request.headers;
      seen.push({
        request: `${request.method} ${request.url}`,
        body: Buffer.concat(pieces).toString(),
        framing: chunked ?? (length === undefined ? '' : 'length'),
      });
      response.end('ok');
    });
  });
  kubeletPort = await listen(kubelet);
  closing = [kubelet];
});
afterEach(() => {
  agent.destroy();
  for (const s of closing) s.close();
});

function serve(request: HttpRequest, response: HttpResponse, upgrade?: object): void {
  const objects = new FakeObjects();
  objects.put<Node>(node, { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' } });
  const handler = proxies({
    objects,
    authorizer: {
      name: 'test',
      authorize: (a) => {
        asked.push(`${a.verb} ${a.resource}/${a.subresource}`);
        return { decision: 'no-opinion', reason: '' };
      },
    },
    kubelets: {
      addressOf: () => ({ host: '192.0.2.1', port: 10250 }),
      open: (r) =>
        Promise.resolve(
          httpRequest({ agent, host: '127.0.0.1', port: kubeletPort, method: r.method, path: r.path, headers: r.headers, setHost: false }),
        ),
      close: () => undefined,
    },
  }).find((h) => h.resource === 'nodes');
  const info = { verb: 'get', resource: 'nodes', subresource: 'proxy', namespace: '', name: 'n1' };
  const exchange = { request, response, connection: connectionOf(request), ...(upgrade === undefined ? {} : { upgrade }) };
  const r = { exchange, info, user: { name: 'bob', groups: [] }, signal: new AbortController().signal } as unknown as ConnectRequest;
  handler?.connect(r).catch((error: unknown) => {
    response.statusCode = error instanceof StatusError ? error.code : 500;
    response.end();
  });
}

async function http1(text: string): Promise<string> {
  const front = createServer(serve);
  front.on('upgrade', (request, socket) => {
    serve(request, { end: () => socket.end('refused') } as unknown as HttpResponse, {});
  });
  closing.push(front);
  const socket = connect(await listen(front), '127.0.0.1');
  socket.write(text);
  let answer = '';
  for await (const piece of socket) {
    answer += String(piece);
    if (/\r\n\r\n/.test(answer)) break;
  }
  return answer;
}
const chunked = (method: string): string =>
  `${method} /api/v1/nodes/n1/proxy/pods HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n` +
  `${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`;

describe('bodies through the proxy of a node', () => {
  it.each(['GET', 'DELETE', 'OPTIONS', 'POST'])('stay bodies: chunked, %s', async (method) => {
    expect(await http1(chunked(method))).toMatch(/^HTTP\/1\.1 200 /);
    await http1('GET /api/v1/nodes/n1/proxy/after HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    expect(seen).toEqual([
      { request: `${method} /pods`, body: smuggled, framing: 'chunked' },
      { request: 'GET /after', body: '', framing: '' },
    ]);
  });

  it('stay bodies: of a known length', async () => {
    await http1(
      `GET /api/v1/nodes/n1/proxy/pods HTTP/1.1\r\nHost: x\r\nContent-Length: ${smuggled.length}\r\nConnection: close\r\n\r\n${smuggled}`,
    );
    expect(seen).toEqual([{ request: 'GET /pods', body: smuggled, framing: 'length' }]);
  });

  it.each(['GET', 'DELETE', 'POST'])('stay bodies: HTTP/2 without a length, %s', async (method) => {
    const front = createHttp2Server(serve);
    closing.push(front as unknown as TcpServer);
    const session = connectHttp2(`http://127.0.0.1:${await listen(front)}`);
    const ask = async (path: string, body: string | undefined): Promise<void> => {
      const stream = session.request(
        { ':method': body === undefined ? 'GET' : method, ':path': `/api/v1/nodes/n1/proxy${path}` },
        { endStream: body === undefined },
      );
      if (body !== undefined) stream.end(body);
      for await (const piece of stream) expect(String(piece)).toBe('ok');
    };
    await ask('/pods', smuggled);
    await ask('/after', undefined);
    session.close();
    expect(seen).toEqual([
      { request: `${method} /pods`, body: smuggled, framing: 'chunked' },
      { request: 'GET /after', body: '', framing: '' },
    ]);
  });
});

it('opens no WebSocket to a kubelet for who may only read', async () => {
  const head = 'GET /api/v1/nodes/n1/proxy/exec/a/b/c HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
  await http1(head);
  expect([asked, seen]).toEqual([['create nodes/proxy'], []]);
});

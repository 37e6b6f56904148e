import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { checkGrpcHealth } from './grpc-health.ts';

/** Starts a server that answers every call as told, asks it, and stops it. */
async function ask(answer: (stream: http2.ServerHttp2Stream, request: Buffer) => void, timeoutMs = 20_000): Promise<string | undefined> {
  const server = http2.createServer();
  const sessions = new Set<http2.ServerHttp2Session>();
  server.on('session', (s) => sessions.add(s));
  server.on('stream', (stream, headers) => {
    expect(headers).toMatchObject({ ':path': '/grpc.health.v1.Health/Check', 'content-type': 'application/grpc', te: 'trailers' });
    stream.once('data', (chunk: Buffer) => answer(stream, chunk));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    return await checkGrpcHealth(`127.0.0.1:${(server.address() as AddressInfo).port}`, 'web', timeoutMs);
  } finally {
    for (const s of sessions) s.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
}

const statusAnswer =
  (status: number) =>
  (stream: http2.ServerHttp2Stream): void => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.end(Buffer.from([0, 0, 0, 0, 2, 8, status]));
  };

describe('the gRPC health protocol', () => {
  it('is asked by service, and SERVING is well', async () => {
    let asked: Uint8Array = Buffer.alloc(0);
    const result = await ask((stream, request) => {
      asked = request;
      statusAnswer(1)(stream);
    });
    expect(result).toBeUndefined();
    expect([...asked]).toEqual([0, 0, 0, 0, 5, 0x0a, 3, ...Buffer.from('web')]);
  });
  it('tells another status', async () => {
    expect(await ask(statusAnswer(2))).toBe('service unhealthy (responded with "NOT_SERVING")');
  });
  it('tells a server without it, also in an answer of headers alone', async () => {
    expect(
      await ask((stream) =>
        stream.respond(
          { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '12', 'grpc-message': 'unknown%20service' },
          { endStream: true },
        ),
      ),
    ).toBe('error: this server does not implement the grpc health protocol (grpc.health.v1.Health): unknown service');
    expect(await ask((stream) => stream.respond({ ':status': 404 }, { endStream: true }))).toContain('does not implement');
  });
  it('tells other errors by code and name', async () => {
    expect(
      await ask((stream) => stream.respond({ ':status': 200, 'grpc-status': '5', 'grpc-message': 'no web' }, { endStream: true })),
    ).toBe('error: health rpc failed: 5 NOT_FOUND: no web');
  });
  it('waits no longer than it may', async () => {
    expect(await ask(() => undefined, 100)).toMatch(/^timeout: failed to connect service "127\.0\.0\.1:\d+" within 0\.1s: /);
  });
  it('takes no endless answer', async () => {
    expect(
      await ask((stream) => {
        stream.on('error', () => undefined);
        stream.respond({ ':status': 200 });
        stream.write(Buffer.alloc(10_000));
      }),
    ).toBe('error: health rpc failed: 8 RESOURCE_EXHAUSTED: the answer is too large');
  });
});

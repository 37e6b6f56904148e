import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createStubRegistry } from './stub-registry.ts';
import { h2Request, startTestServer, type TestServer } from './test-server.ts';

const bigBytes = 33 * 1024 * 1024;
const registry = createStubRegistry(bigBytes);
let server: TestServer;
beforeAll(async () => {
  server = await startTestServer(() => registry);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

const status = (text: string): Record<string, unknown> => JSON.parse(text) as Record<string, unknown>;

describe('authentication', () => {
  it('takes anonymous requests for what they are', async () => {
    const r = await server.fetch('/api/v1/namespaces', { identity: undefined });
    expect(r.code).toBe(403);
    expect(status(r.text)).toMatchObject({
      message: 'namespaces is forbidden: User "system:anonymous" cannot list resource "namespaces" in API group "" at the cluster scope',
      reason: 'Forbidden',
      details: { kind: 'namespaces' },
    });
  });
  it('refuses bad tokens and unknown authorities with 401', async () => {
    const bad = await server.fetch('/api/v1/namespaces', { identity: undefined, headers: { authorization: 'Bearer foo' } });
    expect([bad.code, status(bad.text)['message']]).toEqual([401, 'Unauthorized']);
    await using other = await startTestServer(() => createStubRegistry());
    const stranger = await server.fetch('/api/v1/namespaces', { identity: other.admin });
    expect(stranger.code).toBe(401);
  });
  it('refuses expired certificates', async () => {
    const identity = await server.pki.client('late', ['system:masters'], { validMs: -1000 });
    expect((await server.fetch('/api/v1/namespaces', { identity })).code).toBe(401);
  });
  it('impersonates for those who may', async () => {
    const headers = { 'impersonate-user': 'bob', 'impersonate-group': 'system:masters' };
    expect((await server.fetch('/api/v1/namespaces', { headers })).code).toBe(200);
    const identity = await server.pki.client('alice');
    const r = await server.fetch('/api/v1/namespaces', { identity, headers });
    expect(status(r.text)['message']).toBe(
      'namespaces is forbidden: User "alice" cannot impersonate-on:user-info:list resource "namespaces" in API group "" at the cluster scope',
    );
  });
});

describe('routing', () => {
  it.each([
    ['GET', '/api/v1/foos', 404, 'the server could not find the requested resource'],
    ['GET', '/api/v1/namespaces/default/namespaces', 404, 'the server could not find the requested resource'],
    ['GET', '/api/v1/pods/x', 404, 'the server could not find the requested resource'],
    ['POST', '/api/v1/pods', 405, 'the server does not allow this method on the requested resource'],
    ['POST', '/api/v1/namespaces/x', 405, 'the server does not allow this method on the requested resource'],
    ['OPTIONS', '/api/v1/namespaces', 405, 'the server does not allow this method on the requested resource'],
    ['DELETE', '/version', 405, 'the server does not allow this method on the requested resource'],
    ['GET', '/api/v1/namespaces/%zz', 400, 'invalid URL escape in path "/api/v1/namespaces/%zz"'],
  ])('%s %s', async (method, path, code, message) => {
    const r = await server.fetch(path, { method });
    expect([r.code, status(r.text)['message']]).toEqual([code, message]);
  });
  it('answers unknown paths in plain text', async () => {
    const r = await server.fetch('/foo');
    expect([r.code, r.text]).toEqual([404, '404 page not found\n']);
  });
});

describe('bodies', () => {
  it('are read, unpacked and bounded', async () => {
    const path = '/api/v1/namespaces/a/pods';
    const plain = await server.fetch(path, { method: 'POST', body: '{}', headers: { 'content-type': 'application/json; charset=utf-8' } });
    expect([plain.code, status(plain.text)]).toEqual([201, { bytes: 2, contentType: 'application/json' }]);
    expect(plain.headers['warning']).toBe('299 - "this is a \\"stub\\""');
    const packed = await server.fetch(path, {
      method: 'POST',
      body: gzipSync(Buffer.alloc(100_000, 32)),
      headers: { 'content-encoding': 'gzip' },
    });
    expect(status(packed.text)['bytes']).toBe(100_000);
    const bomb = await server.fetch(path, {
      method: 'POST',
      body: gzipSync(Buffer.alloc(10_000_000, 32)),
      headers: { 'content-encoding': 'gzip' },
    });
    expect([bomb.code, status(bomb.text)['message']]).toEqual([413, 'Request entity too large: limit is 3145728']);
    const large = await server.fetch(path, { method: 'POST', body: Buffer.alloc(3_145_729, 32) });
    expect(large.code).toBe(413);
  });
  it('are compressed when long and accepted', async () => {
    const r = await new Promise<Buffer>((resolve) => {
      const session = server.session();
      const stream = session.request({ ':path': '/api/v1/namespaces/big/pods', 'accept-encoding': 'gzip' });
      const pieces: Buffer[] = [];
      stream.on('data', (p: Buffer) => pieces.push(p));
      stream.on('end', () => {
        session.close();
        resolve(Buffer.concat(pieces));
      });
      stream.end();
    });
    expect(r.length).toBeLessThan(bigBytes / 10);
    expect(gunzipSync(r).length).toBeGreaterThanOrEqual(bigBytes);
  });
});

describe('HTTP/2', () => {
  it('serves others on a session whose list is not read', async () => {
    const session = server.session();
    const unread = session.request({ ':path': '/api/v1/namespaces/big/pods' });
    unread.pause();
    unread.on('error', () => undefined);
    const codes = await Promise.all(
      Array.from({ length: 100 }, () => h2Request(session, { ':path': '/api/v1/namespaces' }).then((r) => r.code)),
    );
    expect(new Set(codes)).toEqual(new Set([200]));
    unread.close(8);
    session.close();
  });
  it('takes 300 groups and long selectors', async () => {
    const session = server.session();
    const groups = Array.from({ length: 300 }, (_, i) => `group-${i}`);
    const many = await h2Request(session, {
      ':path': '/api/v1/namespaces',
      'impersonate-user': 'x',
      'impersonate-group': [...groups, 'system:masters'],
    });
    expect(many.code).toBe(200);
    const long = await h2Request(session, { ':path': `/api/v1/namespaces?labelSelector=${'a'.repeat(60_000)}` });
    expect(long.code).toBe(200);
    session.close();
  });
  it('ends watches when the client does', async () => {
    const session = server.session();
    const stream = session.request({ ':path': '/api/v1/namespaces/w/pods?watch=1' });
    const first = await new Promise<Buffer>((resolve) => stream.once('data', resolve));
    expect(first.toString()).toContain('ADDED');
    expect(registry.watches.has('w')).toBe(true);
    stream.close();
    await new Promise<void>((resolve) => stream.once('close', () => resolve()));
    await expect.poll(() => registry.watches.has('w')).toBe(false);
    session.close();
  });
});

describe('shutting down', () => {
  it('ends watches and lets go of the port', async () => {
    const own = createStubRegistry();
    await using stopping = await startTestServer(() => own);
    const session = stopping.session();
    const stream = session.request({ ':path': '/api/v1/namespaces/w/pods?watch=1' });
    await new Promise<Buffer>((resolve) => stream.once('data', resolve));
    const ended = new Promise<void>((resolve) => stream.once('end', () => resolve()));
    await stopping.stop();
    await ended;
    await expect(stopping.fetch('/version')).rejects.toThrow();
  });
});

describe('pages', () => {
  it('are all there', async () => {
    for (const path of [
      '/',
      '/api',
      '/apis',
      '/api/v1',
      '/version',
      '/healthz',
      '/livez?verbose',
      '/readyz/ping',
      '/metrics',
      '/.well-known/openid-configuration',
      '/openid/v1/jwks',
    ]) {
      expect([path, (await server.fetch(path)).code]).toEqual([path, 200]);
    }
  });
});

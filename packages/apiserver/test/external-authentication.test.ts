import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRegistry } from '../src/registry/registry.ts';
import { createTestPki, type TestPki } from './test-pki.ts';
import { type Answer, startTestServer, type TestServer } from './test-server.ts';

const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const listen = (server: Server): Promise<number> =>
  new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)));

let folder: string;
let pki: TestPki;
let issuer: string;
let issuerServer: Server;
let webhookServer: Server;
let reviews: { spec: { token: string; audiences?: string[] } }[];
let server: TestServer;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skiff-authn-'));
  pki = await createTestPki();
  issuerServer = createServer(
    { cert: readFileSync(pki.file('server.crt')), key: readFileSync(pki.file('server.key')) },
    (request, response) => {
      const jwk = { ...keys.publicKey.export({ format: 'jwk' }), kid: 'k', use: 'sig' };
      response.end(JSON.stringify(request.url === '/keys' ? { keys: [jwk] } : { issuer, jwks_uri: `${issuer}/keys` }));
    },
  );
  issuer = `https://127.0.0.1:${await listen(issuerServer)}`;
  reviews = [];
  webhookServer = createHttpServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (p: Buffer) => pieces.push(p));
    request.on('end', () => {
      const review = JSON.parse(Buffer.concat(pieces).toString()) as (typeof reviews)[number];
      reviews.push(review);
      const known = review.spec.token === 'webhook-token';
      const status = known
        ? { authenticated: true, user: { username: 'hook', groups: ['hooked'], extra: { a: ['b'] } } }
        : { authenticated: false };
      response.end(JSON.stringify({ ...review, status }));
    });
  });
  const url = `http://127.0.0.1:${await listen(webhookServer)}/`;
  const kubeconfig = {
    'current-context': 'a',
    contexts: [{ name: 'a', context: { cluster: 'a' } }],
    clusters: [{ name: 'a', cluster: { server: url } }],
  };
  const configuration = {
    apiVersion: 'apiserver.config.k8s.io/v1',
    kind: 'AuthenticationConfiguration',
    jwt: [
      {
        issuer: { url: issuer, audiences: ['skiff'], certificateAuthority: pki.ca },
        claimMappings: { username: { claim: 'sub', prefix: 'oidc:' }, groups: { expression: 'claims.groups.map(g, "x:" + g)' } },
      },
    ],
    anonymous: { enabled: true, conditions: [{ path: '/livez' }] },
  };
  await writeFile(join(folder, 'webhook.json'), JSON.stringify(kubeconfig));
  await writeFile(join(folder, 'authentication.json'), JSON.stringify(configuration));
  await writeFile(join(folder, 'tokens.csv'), 'file-token,carol,7,"one,two"\nadmin-token,root,8,system:masters\n');
  server = await startTestServer(createRegistry, {
    externalAuthentication: {
      file: join(folder, 'authentication.json'),
      oidc: undefined,
      tokenWebhook: { configFile: join(folder, 'webhook.json'), apiVersion: 'authentication.k8s.io/v1', cacheTtlMs: 60_000 },
      tokenFile: join(folder, 'tokens.csv'),
    },
  });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  issuerServer.close();
  webhookServer.close();
  await pki[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

const whoAmI = (token: string, headers: Record<string, string> = {}): Promise<Answer> =>
  server.fetch('/apis/authentication.k8s.io/v1/selfsubjectreviews', {
    identity: undefined,
    method: 'POST',
    headers: { ...(token === '' ? {} : { authorization: `Bearer ${token}` }), 'content-type': 'application/json', ...headers },
    body: '{"kind":"SelfSubjectReview","apiVersion":"authentication.k8s.io/v1"}',
  });
const userOf = (answer: Answer): unknown => (JSON.parse(answer.text) as { status: { userInfo: unknown } }).status.userInfo;
const idToken = (claims: object = {}): Promise<string> =>
  new SignJWT({ groups: ['dev'], ...claims })
    .setProtectedHeader({ alg: 'ES256', kid: 'k' })
    .setIssuer(issuer)
    .setAudience('skiff')
    .setSubject('jane')
    .setExpirationTime('1h')
    .sign(keys.privateKey);

describe('users that are known elsewhere', () => {
  it('come with tokens of an issuer, of a file, and of a webhook, whose answers are remembered', async () => {
    expect(userOf(await whoAmI(await idToken()))).toEqual({ username: 'oidc:jane', groups: ['x:dev', 'system:authenticated'] });
    expect(userOf(await whoAmI('file-token'))).toEqual({ username: 'carol', uid: '7', groups: ['one', 'two', 'system:authenticated'] });
    const before = reviews.length;
    for (let i = 0; i < 3; i++)
      expect(userOf(await whoAmI('webhook-token'))).toEqual({
        username: 'hook',
        groups: ['hooked', 'system:authenticated'],
        extra: { a: ['b'] },
      });
    expect((await whoAmI('nonsense')).code).toBe(401);
    expect((await whoAmI('nonsense')).code).toBe(401);
    expect(reviews.slice(before).map((r) => r.spec.token)).toEqual(['webhook-token', 'nonsense']);
  });

  it('are told from others', async () => {
    expect((await whoAmI(await idToken({ groups: 5 }))).code).toBe(401);
    const other = await new SignJWT({})
      .setProtectedHeader({ alg: 'ES256', kid: 'k' })
      .setIssuer(issuer)
      .setAudience('them')
      .setSubject('jane')
      .setExpirationTime('1h')
      .sign(keys.privateKey);
    expect((await whoAmI(other)).code).toBe(401);
  });

  it('are anonymous only where the configuration lets them', async () => {
    expect((await server.fetch('/livez', { identity: undefined })).code).toBe(200);
    expect((await server.fetch('/readyz', { identity: undefined })).code).toBe(401);
    expect((await server.fetch('/%6Civez', { identity: undefined })).code).toBe(200);
    expect((await whoAmI('')).code).toBe(401);
  });

  it('are not whom a header names without the certificate of a front proxy', async () => {
    const headers = { 'x-remote-user': 'root', 'x-remote-group': 'system:masters', 'X-Remote-Extra-Scopes': 'all' };
    expect(userOf(await whoAmI('file-token', headers))).toMatchObject({
      username: 'carol',
      groups: ['one', 'two', 'system:authenticated'],
    });
    expect((await whoAmI('', headers)).code).toBe(401);
    const identity = await server.pki.client('front-proxy-client');
    const answer = await server.fetch('/api/v1/secrets', { identity, headers });
    expect([answer.code, answer.text]).toEqual([403, expect.stringContaining('front-proxy-client')]);
  });

  it('are reviewed with the audiences that they are for', async () => {
    const review = async (token: string, audiences: string[]): Promise<unknown> => {
      const body = JSON.stringify({ kind: 'TokenReview', apiVersion: 'authentication.k8s.io/v1', spec: { token, audiences } });
      const answer = await server.fetch('/apis/authentication.k8s.io/v1/tokenreviews', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      });
      return (JSON.parse(answer.text) as { status: unknown }).status;
    };
    const own = 'https://kubernetes.default.svc.cluster.local';
    expect(await review('file-token', [own, 'x'])).toMatchObject({ authenticated: true, audiences: [own] });
    expect(await review('file-token', ['x'])).not.toHaveProperty('authenticated');
    expect(await review(await idToken(), [])).toMatchObject({ authenticated: true, user: { username: 'oidc:jane' } });
  });
});

import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { node, pod, serviceAccount, type Node, type Pod, type ServiceAccount, type TokenRequest } from '@skiff/api';
import { FakeClock } from '@skiff/component-base';
import { SignJWT } from 'jose';
import { describe, expect, it } from 'vitest';
import type { ServiceAccountConfig } from '../config.ts';
import { FakeObjects } from '../object-access.fake.ts';
import { issueToken } from '../reviews/token-request.ts';
import { createServiceAccountTokenAuthenticator, parseServiceAccountUserName } from './service-account-token.ts';

const issuer = 'https://kubernetes.default.svc.cluster.local';
const config: ServiceAccountConfig = {
  keyFiles: [],
  signingKeyFile: undefined,
  issuers: [issuer],
  audiences: [issuer],
  maxExpirationSeconds: undefined,
  jwksUri: undefined,
};
const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });

function world() {
  const clock = new FakeClock();
  const objects = new FakeObjects();
  objects.put<ServiceAccount>(serviceAccount, { metadata: { name: 'sa', namespace: 'ns', uid: 'sa-uid' } });
  objects.put<Pod>(pod, {
    metadata: { name: 'p', namespace: 'ns', uid: 'pod-uid' },
    spec: { nodeName: 'n', serviceAccountName: 'sa', containers: [] },
  } as unknown as Pod);
  objects.put<Node>(node, { metadata: { name: 'n', uid: 'node-uid' } });
  const keys = [{ kid: 'k', key: createPublicKey(pair.publicKey.export({ type: 'spki', format: 'pem' })) }];
  const authenticator = createServiceAccountTokenAuthenticator(
    { issuers: [issuer], apiAudiences: [issuer] },
    { keys, objects, nowMs: () => clock.now() },
  );
  const issue = (spec: Partial<NonNullable<TokenRequest['spec']>> = {}, warnings: string[] = []) =>
    issueToken(
      config,
      { objects, signingKey: { kid: 'k', key: pair.privateKey, algorithm: 'ES256' }, clock },
      { request: { spec: { audiences: [], ...spec } } as TokenRequest, namespace: 'ns', name: 'sa', warnings },
    );
  const check = (token: string | undefined, audiences: string[] = [issuer]) => authenticator.authenticateToken(token ?? '', audiences);
  return { clock, objects, issue, check };
}

describe('ServiceAccount tokens', () => {
  it('say who their bearer is', async () => {
    const { issue, check } = world();
    const found = await check((await issue({ boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: 'p' } })).status?.token);
    expect(found?.user).toMatchObject({
      name: 'system:serviceaccount:ns:sa',
      uid: 'sa-uid',
      groups: ['system:serviceaccounts', 'system:serviceaccounts:ns'],
      extra: {
        'authentication.kubernetes.io/pod-name': ['p'],
        'authentication.kubernetes.io/pod-uid': ['pod-uid'],
        'authentication.kubernetes.io/node-name': ['n'],
        'authentication.kubernetes.io/node-uid': ['node-uid'],
      },
    });
    expect(found?.audiences).toEqual([issuer]);
  });

  it('expire', async () => {
    const { clock, issue, check } = world();
    const token = (await issue({ expirationSeconds: 600 })).status?.token;
    expect(await check(token)).toBeDefined();
    await clock.advance(599_000);
    expect(await check(token)).toBeDefined();
    await clock.advance(2_000);
    await expect(check(token)).rejects.toThrow('service account token has expired');
  });

  it('of pods live on beyond the hour, with a warning date', async () => {
    const { clock, issue, check } = world();
    const request = await issue({ expirationSeconds: 3607, boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: 'p' } });
    expect(Date.parse(request.status?.expirationTimestamp ?? '')).toBe(clock.now() + 3_607_000);
    await clock.advance(5_000_000);
    expect(await check(request.status?.token)).toBeDefined();
  });

  it('die with what they are bound to', async () => {
    const { objects, issue, check } = world();
    const bound = (await issue({ boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: 'p', uid: 'pod-uid' } })).status?.token;
    const plain = (await issue()).status?.token;
    await objects.delete(pod, 'ns', 'p');
    await expect(check(bound)).rejects.toThrow('pod is gone');
    expect(await check(plain)).toBeDefined();
    objects.put<ServiceAccount>(serviceAccount, { metadata: { name: 'sa', namespace: 'ns', uid: 'another' } });
    await expect(check(plain)).rejects.toThrow('service account is gone');
  });

  it('outlive a deletion by a minute', async () => {
    const { clock, objects, issue, check } = world();
    const token = (await issue({ boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: 'p' } })).status?.token;
    const deletionTimestamp = new Date(clock.now()).toISOString();
    objects.put<Pod>(pod, {
      metadata: { name: 'p', namespace: 'ns', uid: 'pod-uid', deletionTimestamp },
      spec: { containers: [] },
    } as unknown as Pod);
    expect(await check(token)).toBeDefined();
    await clock.advance(61_000);
    await expect(check(token)).rejects.toThrow('was deleted');
  });

  it('count for their audience only', async () => {
    const { issue, check } = world();
    const token = (await issue({ audiences: ['vault'] })).status?.token;
    await expect(check(token)).rejects.toThrow('is invalid for the target audiences');
    expect((await check(token, ['vault', 'x']))?.audiences).toEqual(['vault']);
  });

  it('of others, forged or without a signature are refused', async () => {
    const { clock, check } = world();
    expect(await check('abc')).toBeUndefined();
    const claims = { 'kubernetes.io': { namespace: 'ns', serviceaccount: { name: 'sa', uid: 'sa-uid' } } };
    const forge = (o: { iss?: string; sub?: string; key?: typeof pair.privateKey }) =>
      new SignJWT(claims)
        .setProtectedHeader({ alg: 'ES256', kid: 'k' })
        .setIssuer(o.iss ?? issuer)
        .setSubject(o.sub ?? 'system:serviceaccount:ns:sa')
        .setAudience(issuer)
        .setExpirationTime(Math.floor(clock.now() / 1000) + 600)
        .sign(o.key ?? pair.privateKey);
    expect(await check(await forge({ iss: 'https://elsewhere' }))).toBeUndefined();
    await expect(check(await forge({ sub: 'system:serviceaccount:kube-system:admin' }))).rejects.toThrow('does not match');
    await expect(check(await forge({ key: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey }))).rejects.toThrow(
      'failed to verify signature',
    );
    const good = await forge({});
    const [, payload = ''] = good.split('.');
    const none = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${payload}.`;
    await expect(check(none)).rejects.toThrow('not valid');
  });
});

describe('issueToken', () => {
  it('refuses what does not fit', async () => {
    const { issue } = world();
    await expect(issue({ expirationSeconds: 5 })).rejects.toThrow('may not specify a duration less than 10 minutes');
    await expect(issue({ boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: 'p', uid: 'x' } })).rejects.toThrow(
      'does not match the UID in record',
    );
    await expect(issue({ boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: 'q' } })).rejects.toThrow('pods "q" not found');
    await expect(issue({ boundObjectRef: { kind: 'Foo', apiVersion: 'v1', name: 'x' } })).rejects.toThrow(
      'cannot bind token to object of type /v1, Kind=Foo',
    );
  });
});

describe('parseServiceAccountUserName', () => {
  it('takes names apart', () => {
    expect(parseServiceAccountUserName('system:serviceaccount:a:b')).toEqual({ namespace: 'a', name: 'b' });
    expect(parseServiceAccountUserName('system:serviceaccount:a')).toBeUndefined();
    expect(parseServiceAccountUserName('system:serviceaccount:A:b')).toBeUndefined();
    expect(parseServiceAccountUserName('bob')).toBeUndefined();
  });
});

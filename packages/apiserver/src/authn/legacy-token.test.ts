import { generateKeyPairSync } from 'node:crypto';
import { secret, type Secret, serviceAccount, type ServiceAccount } from '@skiff/api';
import { FakeClock, silentLogger } from '@skiff/component-base';
import { SignJWT } from 'jose';
import { describe, expect, it } from 'vitest';
import { FakeObjects } from '../object-access.fake.ts';
import { AuthenticationError } from './authenticator.ts';
import { createLegacyTokenAuthenticator } from './legacy-token.ts';

const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const claim = 'kubernetes.io/serviceaccount';
const good = {
  iss: 'kubernetes/serviceaccount',
  sub: 'system:serviceaccount:ns:sa',
  [`${claim}/namespace`]: 'ns',
  [`${claim}/secret.name`]: 's',
  [`${claim}/service-account.name`]: 'sa',
  [`${claim}/service-account.uid`]: 'sa-uid',
};
const sign = (claims: object, key = pair.privateKey): Promise<string> =>
  new SignJWT({ ...claims }).setProtectedHeader({ alg: 'ES256', kid: 'k' }).sign(key);

async function world() {
  const clock = new FakeClock();
  const objects = new FakeObjects();
  const token = await sign(good);
  const put = (text: string, metadata: object = {}): Secret =>
    objects.put<Secret>(secret, {
      metadata: { name: 's', namespace: 'ns', ...metadata },
      data: { token: Buffer.from(text).toString('base64') },
    });
  put(token);
  const putAccount = (metadata: object): ServiceAccount =>
    objects.put<ServiceAccount>(serviceAccount, { metadata: { name: 'sa', namespace: 'ns', uid: 'sa-uid', ...metadata } });
  putAccount({});
  const { authenticateToken } = createLegacyTokenAuthenticator({
    keys: [{ kid: 'k', key: pair.publicKey }],
    objects,
    nowMs: () => clock.now(),
    log: silentLogger,
  });
  const refused = async (text: string, why: string): Promise<void> => {
    const error: unknown = await authenticateToken(text, []).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(AuthenticationError);
    expect((error as Error).message).toContain(why);
  };
  return { objects, token, put, putAccount, authenticateToken, refused };
}

describe('tokens in Secrets', () => {
  it('say whose they are', async () => {
    const { token, authenticateToken } = await world();
    expect(await authenticateToken(token, [])).toMatchObject({ user: { name: 'system:serviceaccount:ns:sa', uid: 'sa-uid' } });
    expect(await authenticateToken(await sign({ ...good, iss: 'https://elsewhere' }), [])).toBeUndefined();
    expect(await authenticateToken('nonsense', [])).toBeUndefined();
  });

  it('hold only with their Secret, and their account', async () => {
    const { objects, token, put, putAccount, refused } = await world();
    put('another');
    await refused(token, "does not match server's copy");
    put(token, { labels: { 'kubernetes.io/legacy-token-invalid-since': '2026-01-01' } });
    await refused(token, "remove the 'kubernetes.io/legacy-token-invalid-since' label from the secret");
    // Whoever still tries to use it keeps it from being deleted.
    expect(objects.get<Secret>(secret, 'ns', 's')?.metadata?.labels?.['kubernetes.io/legacy-token-last-used']).toBeDefined();
    put(token, { deletionTimestamp: '2026-01-01T00:00:00Z' });
    await refused(token, 'invalidated');
    put(token);
    putAccount({ uid: 'new' });
    await refused(token, 'does not match claim');
    putAccount({ deletionTimestamp: '2026-01-01T00:00:00Z' });
    await refused(token, 'has been deleted');
  });

  it('must be signed and say what they are for', async () => {
    const { refused } = await world();
    await refused(await sign(good, other.privateKey), 'signature');
    await refused(await sign({ ...good, sub: 'system:serviceaccount:kube-system:root' }), 'sub claim is invalid');
    await refused(await sign({ ...good, [`${claim}/secret.name`]: undefined }), 'secret.name claim is missing');
    const none = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from(JSON.stringify(good)).toString('base64url')}.`;
    await refused(none, 'not valid');
  });
});

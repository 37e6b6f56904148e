import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { FakeClock } from '@skiff/component-base';
import { CompactSign, type CompactJWSHeaderParameters } from 'jose';
import { describe, expect, it } from 'vitest';
import { AuthenticationError, type TokenAuthenticator } from '../authenticator.ts';
import { parseAuthenticationConfig } from './authentication-config.ts';
import { createJwtAuthenticator } from './jwt-authenticator.ts';
import { createKeySet } from './key-set.ts';

const issuer = 'https://issuer.example.com';
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 });
const jwk = (key: KeyObject, kid: string, more: object = {}): object => ({ ...key.export({ format: 'jwk' }), kid, use: 'sig', ...more });

const document = (jwt: string): string => `apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\njwt:\n${jwt}`;
const plainJwt = `
- issuer: {url: "${issuer}", audiences: [mine, other], audienceMatchPolicy: MatchAny}
  claimMappings:
    username: {claim: sub, prefix: "oidc:"}
    groups: {claim: groups, prefix: "g:"}
`;

interface Setup {
  readonly clock: FakeClock;
  readonly asked: string[];
  readonly authenticator: TokenAuthenticator;
  keys: object[];
  down: boolean;
  said: string;
}
function setup(jwt = plainJwt): Setup {
  const clock = new FakeClock();
  const config = parseAuthenticationConfig(document(jwt), []).jwt[0];
  if (config === undefined) throw new Error('no issuer');
  const asked: string[] = [];
  const s: Setup = {
    clock,
    asked,
    keys: [jwk(rsa.publicKey, 'r1'), jwk(ec.publicKey, 'e1')],
    down: false,
    said: issuer,
    authenticator: createJwtAuthenticator(config, {
      clock,
      keySet: createKeySet(config, {
        clock,
        fetchJson: async (url) => {
          asked.push(url);
          if (s.down) throw new Error('down');
          return url.endsWith('/keys') ? { keys: s.keys } : { issuer: s.said, jwks_uri: `${issuer}/keys` };
        },
      }),
    }),
  };
  return s;
}

async function sign(s: Setup, claims: object = {}, o: { key?: KeyObject; header?: CompactJWSHeaderParameters } = {}): Promise<string> {
  const nowSeconds = Math.floor(s.clock.now() / 1000);
  const payload = { iss: issuer, aud: 'mine', sub: 'jane', exp: nowSeconds + 600, iat: nowSeconds, ...claims };
  return await new CompactSign(Buffer.from(JSON.stringify(payload)))
    .setProtectedHeader(o.header ?? { alg: 'RS256', kid: 'r1' })
    .sign(o.key ?? rsa.privateKey);
}
const ask = (s: Setup, token: string) => s.authenticator.authenticateToken(token, []);
const refused = async (s: Setup, token: string, why: string): Promise<void> => {
  const error: unknown = await ask(s, token).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(AuthenticationError);
  expect((error as Error).message).toContain(why);
};

describe('tokens of an issuer elsewhere', () => {
  it('are taken with RS256, PS256 and ES256, and give name and groups their prefixes', async () => {
    const s = setup();
    expect(await ask(s, await sign(s, { groups: ['a', 'b'] }))).toEqual({
      user: { name: 'oidc:jane', groups: ['g:a', 'g:b'] },
      audiences: [],
    });
    expect(await ask(s, await sign(s, { groups: 'one' }))).toMatchObject({ user: { groups: ['g:one'] } });
    for (const header of [{ alg: 'PS256', kid: 'r1' }, { alg: 'RS512' }])
      expect(await ask(s, await sign(s, {}, { header }))).toMatchObject({ user: { name: 'oidc:jane' } });
    expect(await ask(s, await sign(s, {}, { key: ec.privateKey, header: { alg: 'ES256', kid: 'e1' } }))).toBeDefined();
    expect(s.asked).toEqual([`${issuer}/.well-known/openid-configuration`, `${issuer}/keys`]);
  });

  it('of others are not its own', async () => {
    const s = setup();
    for (const token of [await sign(s, { iss: 'https://other.example.com' }), 'a.b.c', 'nonsense', '', `x.${'A'.repeat(100)}.y`])
      expect(await ask(s, token)).toBeUndefined();
    expect(await ask(s, `${await sign(s)}${'A'.repeat(70_000)}`)).toBeUndefined();
    expect(s.asked).toEqual([]);
  });

  it('are refused when anything about them is wrong', async () => {
    const s = setup();
    const nowSeconds = Math.floor(s.clock.now() / 1000);
    await refused(s, await sign(s, { exp: nowSeconds - 1 }), 'expired');
    await refused(s, await sign(s, { exp: undefined }), 'expired');
    await refused(s, await sign(s, { exp: 'tomorrow' }), 'expired');
    await refused(s, await sign(s, { nbf: nowSeconds + 600 }), 'nbf');
    expect(await ask(s, await sign(s, { nbf: nowSeconds + 50 }))).toBeDefined();
    expect(await ask(s, await sign(s, { exp: String(nowSeconds + 60) }))).toBeDefined();
    await refused(s, await sign(s, { nbf: 'later' }), 'nbf');
    await refused(s, await sign(s, { aud: 'theirs' }), 'audience');
    await refused(s, await sign(s, { aud: undefined }), 'audience');
    await refused(s, await sign(s, { aud: { mine: true } }), 'audience');
    expect(await ask(s, await sign(s, { aud: ['theirs', 'other'] }))).toBeDefined();
    await refused(s, await sign(s, { sub: 7 }), 'not a string');
    await refused(s, await sign(s, { sub: undefined }), 'not present');
    await refused(s, await sign(s, { groups: [1] }), 'groups');
    await refused(s, await sign(s, {}, { key: stranger.privateKey }), 'signature');
  });

  it('can not choose how they are verified', async () => {
    const s = setup();
    const none = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${(await sign(s)).split('.')[1]}.`;
    await refused(s, none, 'unexpected signature algorithm');
    // The public key as the secret of an HMAC.
    const pem = Buffer.from(rsa.publicKey.export({ type: 'spki', format: 'pem' }));
    const hmac = await new CompactSign(Buffer.from(JSON.stringify({ iss: issuer, aud: 'mine', sub: 'root', exp: 9e9 })))
      .setProtectedHeader({ alg: 'HS256', kid: 'r1' })
      .sign(pem);
    await refused(s, hmac, 'unexpected signature algorithm');
    // A key of its own in the header, or one from a place of its choice.
    const header = { alg: 'RS256', kid: 'r1', jwk: jwk(stranger.publicKey, 'r1'), jku: 'https://evil.example.com/keys' } as never;
    await refused(s, await sign(s, {}, { key: stranger.privateKey, header }), 'signature');
    await refused(s, await sign(s, {}, { key: stranger.privateKey, header: { alg: 'RS256', kid: '../../etc/passwd' } }), 'signature');
    expect(s.asked.filter((url) => !url.startsWith(issuer))).toEqual([]);
  });

  it('asks the issuer for new keys, but not for every token that anyone makes up', async () => {
    const s = setup();
    await ask(s, await sign(s));
    for (let i = 0; i < 50; i++) await refused(s, await sign(s, {}, { header: { alg: 'RS256', kid: `made-up-${i}` } }), 'signature');
    expect(s.asked).toHaveLength(2);
    s.keys = [jwk(stranger.publicKey, 'new')];
    await s.clock.advance(10_000);
    expect(await ask(s, await sign(s, {}, { key: stranger.privateKey, header: { alg: 'RS256', kid: 'new' } }))).toBeDefined();
    expect(s.asked).toHaveLength(3);
    await s.clock.advance(10_000);
    await refused(s, await sign(s), 'signature');
  });

  it('lives with an issuer that is away: known keys hold, unknown ones are no secret', async () => {
    const s = setup();
    s.down = true;
    await refused(s, await sign(s), "can't be had");
    s.down = false;
    await refused(s, await sign(s), "can't be had");
    await s.clock.advance(10_000);
    expect(await ask(s, await sign(s))).toBeDefined();
    s.down = true;
    await s.clock.advance(2 * 60 * 60 * 1000);
    expect(await ask(s, await sign(s))).toBeDefined();
  });

  it('refuses the keys of another issuer, and what is no key set', async () => {
    const s = setup();
    s.said = 'https://other.example.com';
    await refused(s, await sign(s), 'issuer did not match');
    const bomb = setup();
    bomb.keys = [...Array.from({ length: 10_000 }, (_, i) => ({ kty: 'RSA', kid: `k${i}`, n: 'AQAB', e: 'x' })), jwk(rsa.publicKey, 'r1')];
    await refused(bomb, await sign(bomb), 'signature');
  });
});

describe('claims and expressions', () => {
  const withRules = `
- issuer: {url: "${issuer}", audiences: [mine], discoveryURL: "https://discovery.example.com/doc"}
  claimValidationRules:
  - {claim: hd, requiredValue: example.com}
  - {expression: 'claims.exp - claims.iat <= 86400.0', message: lives too long}
  claimMappings:
    username: {expression: 'claims.email_verified ? "mail:" + claims.email : ""'}
    groups: {expression: 'claims.roles'}
    uid: {claim: sub}
    extra:
    - {key: example.com/tenant, valueExpression: claims.tenant}
    - {key: example.com/level, valueExpression: 'type(claims.level) == double ? string(claims.level) : ""'}
    - {key: example.com/admin, valueExpression: '(has(claims.is_admin) && claims.is_admin) ? "true" : ""'}
  userValidationRules:
  - {expression: "!user.username.startsWith('system:')", message: reserved}
  - {expression: "user.groups.all(g, !g.startsWith('system:'))", message: reserved group}
`;
  const good = { email: 'jane@example.com', email_verified: true, roles: ['dev', 'ops'], tenant: 'blue', level: 3, hd: 'example.com' };

  it('make the user', async () => {
    const s = setup(withRules);
    expect(await ask(s, await sign(s, good))).toEqual({
      user: {
        name: 'mail:jane@example.com',
        uid: 'jane',
        groups: ['dev', 'ops'],
        extra: { 'example.com/tenant': ['blue'], 'example.com/level': ['3'] },
      },
      audiences: [],
    });
    expect(s.asked[0]).toBe('https://discovery.example.com/doc');
    expect(await ask(s, await sign(s, { ...good, is_admin: true }))).toMatchObject({ user: { extra: { 'example.com/admin': ['true'] } } });
  });

  it.each([
    [{ hd: 'evil.com' }, 'hd value does not match'],
    [{ hd: undefined }, 'hd not present'],
    [{ email_verified: false }, 'empty username'],
    [{ email_verified: 'true' }, 'oidc:'],
    [{ exp: 9e9 }, 'lives too long'],
    [{ roles: ['dev', 'system:masters'] }, 'reserved group'],
    [{ roles: 5 }, 'oidc:'],
    [{ tenant: [1] }, 'oidc:'],
  ])('refuse %j', async (claims, why) => {
    const s = setup(withRules);
    await refused(s, await sign(s, { ...good, ...claims }), why);
  });

  it('email is a name only when it is not known to be unverified', async () => {
    const s = setup(`\n- issuer: {url: "${issuer}", audiences: [mine]}\n  claimMappings: {username: {claim: email, prefix: ""}}\n`);
    expect(await ask(s, await sign(s, { email: 'a@b' }))).toMatchObject({ user: { name: 'a@b' } });
    await refused(s, await sign(s, { email: 'a@b', email_verified: false }), 'not verified');
  });
});

describe('AuthenticationConfiguration', () => {
  const one = (issuerFields: string, more = 'claimMappings: {username: {claim: sub, prefix: ""}}'): string =>
    document(`- issuer: {${issuerFields}}\n  ${more}\n`);
  it.each([
    [one('url: "http://a.example.com", audiences: [x]'), 'URL scheme must be https'],
    [one('url: "https://u:p@a.example.com", audiences: [x]'), 'username or password'],
    [one('url: "https://a.example.com?x=1", audiences: [x]'), 'must not contain a query'],
    [one('audiences: [x]'), 'jwt[0].issuer.url: Required value'],
    [one('url: "https://a.example.com"'), 'at least one audiences is required'],
    [one('url: "https://a.example.com", audiences: [x, y]'), 'must be MatchAny for multiple audiences'],
    [one('url: "https://a.example.com", audiences: [x], discoveryURL: "https://a.example.com/"'), 'must be different from URL'],
    [one('url: "https://own.example.com", audiences: [x]'), 'must not overlap with disallowed issuers'],
    [one('url: "https://a.example.com", audiences: [x], certificateAuthority: nonsense'), 'certificateAuthority'],
    [one('url: "https://a.example.com", audiences: [x]', 'claimMappings: {}'), 'claimMappings.username: Required value'],
    [
      one('url: "https://a.example.com", audiences: [x]', 'claimMappings: {username: {claim: sub}}'),
      'prefix is required when claim is set',
    ],
    [
      one('url: "https://a.example.com", audiences: [x]', 'claimMappings: {username: {claim: sub, prefix: "", expression: x}}'),
      "can't both be set",
    ],
    [one('url: "https://a.example.com", audiences: [x]', 'claimMappings: {username: {expression: "claims."}}'), 'compilation failed'],
    [one('url: "https://a.example.com", audiences: [x]', 'claimMappings: {username: {expression: "1"}}'), 'must evaluate to string'],
    [
      one('url: "https://a.example.com", audiences: [x]', 'claimMappings: {username: {expression: claims.email}}'),
      'email_verified must be used',
    ],
    [
      one(
        'url: "https://a.example.com", audiences: [x]',
        'claimMappings: {username: {claim: a, prefix: ""}, extra: [{key: kubernetes.io/a, valueExpression: "\'x\'"}]}',
      ),
      'reserved for Kubernetes',
    ],
    [one('url: "https://a.example.com", audiences: [x], nonsense: 1'), 'unknown field'],
    [
      'kind: AuthenticationConfiguration\napiVersion: apiserver.config.k8s.io/v1\nanonymous: {enabled: false, conditions: [{path: /livez}]}',
      'enabled should be set to true',
    ],
    ['kind: Other', 'must be an AuthenticationConfiguration'],
  ])('refuses %s', (text, why) => {
    expect(() => parseAuthenticationConfig(text, ['https://own.example.com'])).toThrow(why);
  });
});

import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { configMap, type ConfigMap } from '@skiff/api';
import { silentLogger } from '@skiff/component-base';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readSubject } from '../src/authn/certificate-subject.ts';
import { createRevocations } from '../src/authn/revocations.ts';
import { FakeObjects } from '../src/object-access.fake.ts';
import { createClientCertificateAuthenticator } from '../src/authn/client-certificate.ts';
import type { Exchange } from '../src/server/exchange.ts';
import { parseBundle } from '../src/server/tls-files.ts';
import { createTestPki, type TestPki } from './test-pki.ts';

let pki: TestPki;
let other: TestPki;
beforeAll(async () => {
  [pki, other] = await Promise.all([createTestPki(), createTestPki()]);
});
afterAll(async () => {
  await pki[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
});

const over = (...pems: string[]): Exchange =>
  ({ connection: { remoteAddress: '', certificates: pems.map((p) => new X509Certificate(p)), verdict: undefined } }) as unknown as Exchange;

describe('client certificates', () => {
  it('make users of their subjects', async () => {
    const { cert } = await pki.client('bob', ['devs', 'a,O=system:masters', 'ü\nO=system:masters']);
    expect(readSubject(new X509Certificate(cert).raw)).toEqual({
      commonName: 'bob',
      organizations: ['devs', 'a,O=system:masters', 'ü\nO=system:masters'],
      uids: [],
    });
  });

  it('stop working on a live connection when they expire', async () => {
    let nowMs = Date.now();
    const bundle = parseBundle(pki.ca, 'ca');
    const authenticator = createClientCertificateAuthenticator({ bundle: () => bundle, nowMs: () => nowMs });
    const x = over((await pki.client('bob', ['devs'], { validMs: 60_000 })).cert);
    expect(authenticator.authenticate(x)).toMatchObject({ name: 'bob', groups: ['devs'] });
    nowMs += 61_000;
    expect(() => authenticator.authenticate(x)).toThrow('has expired or is not yet valid');
  });

  it('follow the bundle, not the handshake', async () => {
    let bundle = parseBundle(pki.ca, 'ca');
    const authenticator = createClientCertificateAuthenticator({ bundle: () => bundle, nowMs: Date.now });
    const x = over((await pki.client('bob')).cert);
    expect(authenticator.authenticate(x)).toMatchObject({ name: 'bob' });
    bundle = parseBundle(other.ca, 'ca');
    expect(() => authenticator.authenticate(x)).toThrow('certificate signed by unknown authority');
    bundle = parseBundle(`${other.ca}\n${pki.ca}`, 'ca');
    expect(authenticator.authenticate(x)).toMatchObject({ name: 'bob' });
  });

  it('are no good when they begin before the time that their user is revoked at', async () => {
    const bundle = parseBundle(pki.ca, 'ca');
    const objects = new FakeObjects();
    const revokedBefore = createRevocations({ objects, log: silentLogger });
    const authenticator = createClientCertificateAuthenticator({ bundle: () => bundle, nowMs: Date.now, revokedBefore });
    const x = over((await pki.client('system:node:h3', ['system:nodes'])).cert);
    const revoke = (data: Record<string, string>): unknown =>
      objects.put<ConfigMap>(configMap, { metadata: { name: 'revoked-certificates', namespace: 'kube-system' }, data });
    expect(authenticator.authenticate(x)).toMatchObject({ name: 'system:node:h3' });
    revoke({
      hosts: `# gone\nnonsense\nsystem:node:h4 ${new Date().toISOString()}`,
      more: `system:node:h3 ${new Date(Date.now() + 1000).toISOString()}`,
    });
    expect(() => authenticator.authenticate(x)).toThrow('are revoked');
    expect(authenticator.authenticate(over((await pki.client('bob')).cert))).toMatchObject({ name: 'bob' });
    revoke({ hosts: 'system:node:h3 2020-01-01T00:00:00Z' });
    expect(authenticator.authenticate(x)).toMatchObject({ name: 'system:node:h3' });
  });

  it('must be meant for clients', () => {
    const bundle = parseBundle(pki.ca, 'ca');
    const authenticator = createClientCertificateAuthenticator({ bundle: () => bundle, nowMs: Date.now });
    expect(() => authenticator.authenticate(over(readFileSync(pki.file('server.crt'), 'utf8')))).toThrow('unknown authority');
    expect(authenticator.authenticate(over())).toBeUndefined();
  });
});

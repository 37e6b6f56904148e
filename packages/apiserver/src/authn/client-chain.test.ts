import 'reflect-metadata';
import { X509Certificate, webcrypto } from 'node:crypto';
import { BasicConstraintsExtension, cryptoProvider, X509CertificateGenerator } from '@peculiar/x509';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Exchange } from '../server/exchange.ts';
import type { CaBundle } from '../server/tls-files.ts';
import { verifyClientChain } from './client-chain.ts';
import { createRequestHeaderAuthenticator } from './request-header.ts';

cryptoProvider.set(webcrypto);
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const newKeys = (): Promise<webcrypto.CryptoKeyPair> => webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
let serial = 1000;

interface Party {
  readonly name: string;
  readonly keys: webcrypto.CryptoKeyPair;
}
const party = async (name: string): Promise<Party> => ({ name, keys: await newKeys() });
const hourMs = 3_600_000;

async function certificate(subject: Party, issuer: Party, o: { ca?: boolean; hours?: number } = {}): Promise<X509Certificate> {
  const made = await X509CertificateGenerator.create({
    serialNumber: String(serial++),
    subject: `CN=${subject.name}`,
    issuer: `CN=${issuer.name}`,
    notBefore: new Date(Date.now() - hourMs),
    notAfter: new Date(Date.now() + (o.hours ?? 1) * hourMs),
    signingAlgorithm: algorithm,
    publicKey: subject.keys.publicKey,
    signingKey: issuer.keys.privateKey,
    extensions: [new BasicConstraintsExtension(o.ca ?? true, undefined, true)],
  });
  return new X509Certificate(made.toString('pem'));
}

afterEach(() => vi.restoreAllMocks());

describe('chains of client certificates', () => {
  it('lead over intermediates to a root, for as long as all of them hold', async () => {
    const [root, upper, lower, bob] = (await Promise.all(['root', 'upper', 'lower', 'bob'].map(party))) as [Party, Party, Party, Party];
    const rootCertificate = await certificate(root, root, { hours: 9 });
    const between = [await certificate(lower, upper, { hours: 2 }), await certificate(upper, root, { hours: 5 })];
    const leaf = await certificate(bob, lower, { ca: false, hours: 7 });
    expect(verifyClientChain(leaf, between, [rootCertificate])?.notAfterMs).toBe(Date.parse(between[0]?.validTo ?? ''));
    expect(verifyClientChain(leaf, between.slice(0, 1), [rootCertificate])).toBeUndefined();
    expect(verifyClientChain(leaf, [], [leaf])).toBeDefined();
    // What is no authority issues nothing.
    const eve = await party('eve');
    expect(verifyClientChain(await certificate(eve, bob), [leaf, ...between], [rootCertificate])).toBeUndefined();
  });

  it('cost little when all that was sent issues all the rest', async () => {
    const [root, stranger, bob] = (await Promise.all(['root', 'stranger', 'bob'].map(party))) as [Party, Party, Party];
    const roots = [await certificate(root, root)];
    const mutual = await Promise.all(Array.from({ length: 9 }, () => certificate(stranger, stranger)));
    const checks = vi.spyOn(X509Certificate.prototype, 'verify');
    // Nothing trusted vouches for the stranger's key, so that it is never used.
    expect(verifyClientChain(await certificate(bob, stranger, { ca: false }), mutual, roots)).toBeUndefined();
    expect(checks).not.toHaveBeenCalled();
    const crossed = [...mutual.slice(1), await certificate(stranger, root)];
    const other = await party('other');
    expect(verifyClientChain(await certificate(bob, other, { ca: false }), crossed, roots)).toBeUndefined();
    expect(checks.mock.calls.length).toBeLessThan(100);
  });

  it('of front proxies are verified once for a connection and bundle', async () => {
    const [root, proxy] = (await Promise.all(['root', 'proxy'].map(party))) as [Party, Party];
    const authority = await certificate(root, root);
    let bundle: CaBundle = { pem: '', certificates: [authority] };
    let nowMs = Date.now();
    const authenticator = createRequestHeaderAuthenticator({ bundle: () => bundle, allowedNames: ['proxy'], nowMs: () => nowMs });
    const x = {
      connection: { remoteAddress: '', certificates: [await certificate(proxy, root, { ca: false })], verdict: undefined },
      request: { headers: { 'x-remote-user': 'bob' }, rawHeaders: ['X-Remote-User', 'bob'] },
    } as unknown as Exchange;
    const checks = vi.spyOn(X509Certificate.prototype, 'verify');
    for (let i = 0; i < 3; i++) expect(authenticator.authenticate(x)).toMatchObject({ name: 'bob' });
    expect(checks).toHaveBeenCalledTimes(1);
    nowMs += 2 * hourMs;
    expect(authenticator.authenticate(x)).toBeUndefined();
    nowMs -= 2 * hourMs;
    bundle = { pem: '', certificates: [] };
    expect(authenticator.authenticate(x)).toBeUndefined();
  });
});

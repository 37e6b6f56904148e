import 'reflect-metadata';
import { webcrypto, X509Certificate as NodeCertificate } from 'node:crypto';
import { PemConverter, Pkcs10CertificateRequestGenerator, SubjectAlternativeNameExtension, X509CertificateGenerator } from '@peculiar/x509';
import { describe, expect, it } from 'vitest';
import { openCertificateAuthority } from './certificate-authority.ts';
import { parseCertificateRequest } from './certificate-request.ts';

const ecdsa = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const rsa = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) };
const keys = (algorithm: typeof ecdsa | typeof rsa) =>
  webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']) as Promise<webcrypto.CryptoKeyPair>;

async function authority(algorithm: typeof ecdsa | typeof rsa) {
  const pair = await keys(algorithm);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=test-ca',
    keys: pair,
    signingAlgorithm: algorithm,
    notAfter: new Date(Date.now() + 10 * 365 * 86_400_000),
  });
  const key = PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', pair.privateKey), 'PRIVATE KEY');
  const pem = certificate.toString('pem');
  return { pem, ca: await openCertificateAuthority({ certificate: pem, key, maxDurationMs: 365 * 86_400_000 }) };
}

const pkcs10 = async (): Promise<string> => {
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: [{ O: ['system:nodes'] }, { CN: ['system:node:a'] }],
    keys: await keys(ecdsa),
    signingAlgorithm: ecdsa,
    extensions: [
      new SubjectAlternativeNameExtension([
        { type: 'dns', value: 'a' },
        { type: 'ip', value: '10.0.0.1' },
      ]),
    ],
  });
  return Buffer.from(request.toString('pem')).toString('base64');
};

describe('certificate authority', () => {
  it.each([
    ['ECDSA', ecdsa],
    ['RSA', rsa],
  ])('signs with an %s key what was asked for', async (_name, algorithm) => {
    const { pem, ca } = await authority(algorithm);
    const { request, identity } = await parseCertificateRequest(await pkcs10());
    expect(identity).toEqual({
      commonName: 'system:node:a',
      organizations: ['system:nodes'],
      dnsNames: ['a'],
      ipAddresses: ['10.0.0.1'],
      emailAddresses: [],
      uris: [],
    });
    const nowMs = Date.now();
    const issued = new NodeCertificate(
      await ca.sign({ request, usages: ['digital signature', 'server auth'], expirationSeconds: 3600, nowMs }),
    );
    expect(issued.verify(new NodeCertificate(pem).publicKey)).toBe(true);
    expect(issued.subject).toBe('O=system:nodes\nCN=system:node:a');
    expect(issued.subjectAltName).toBe('DNS:a, IP Address:10.0.0.1');
    expect(issued.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
    expect(issued.ca).toBe(false);
    expect(Date.parse(issued.validTo) - nowMs).toBeLessThanOrEqual(3_600_000);
    expect(Date.parse(issued.validTo) - nowMs).toBeGreaterThan(3_590_000);
  });

  it('refuses a request whose signature is wrong', async () => {
    const der = Buffer.from(await pkcs10(), 'base64').toString();
    const lines = der.split('\n');
    lines[1] = (lines[1] ?? '').replace(/^(.{40})(.)/, (_m, head: string, c: string) => head + (c === 'A' ? 'B' : 'A'));
    await expect(parseCertificateRequest(Buffer.from(lines.join('\n')).toString('base64'))).rejects.toThrow();
  });
});

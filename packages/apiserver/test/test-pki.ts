import 'reflect-metadata';
import { generateKeyPairSync, randomBytes, webcrypto } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  BasicConstraintsExtension,
  cryptoProvider,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
  type X509Certificate,
} from '@peculiar/x509';

cryptoProvider.set(webcrypto);
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

export interface Identity {
  readonly cert: string;
  readonly key: string;
}

export interface TestPki extends AsyncDisposable {
  readonly dir: string;
  readonly ca: string;
  readonly file: (name: string) => string;
  /** A server certificate for a name. */
  server(dnsName: string): Promise<Identity>;
  /** A client certificate; `validMs` may be negative. */
  client(commonName: string, organizations?: readonly string[], o?: { validMs?: number }): Promise<Identity>;
}

async function keyPem(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key));
  return `-----BEGIN PRIVATE KEY-----\n${der.toString('base64').replace(/.{64}/g, '$&\n')}\n-----END PRIVATE KEY-----\n`;
}

/** A CA, a server certificate for localhost and a signing key for tokens, in a directory of their own. */
export async function createTestPki(): Promise<TestPki> {
  const dir = await mkdtemp(join(tmpdir(), 'skiff-apiserver-'));
  const caKeys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const now = Date.now();
  const ca = await X509CertificateGenerator.createSelfSigned({
    serialNumber: randomBytes(8).toString('hex').replace(/^./, '1'),
    name: 'CN=test-ca',
    notBefore: new Date(now - 3_600_000),
    notAfter: new Date(now + 3_600_000),
    signingAlgorithm: algorithm,
    keys: caKeys,
    extensions: [new BasicConstraintsExtension(true, undefined, true)],
  });
  const issue = async (
    subject: Record<string, string[]>[],
    usage: ExtendedKeyUsage,
    validMs = 3_600_000,
    dnsName = 'localhost',
  ): Promise<Identity> => {
    const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
    const certificate: X509Certificate = await X509CertificateGenerator.create({
      serialNumber: randomBytes(8).toString('hex').replace(/^./, '1'),
      subject,
      issuer: ca.subject,
      notBefore: new Date(now - 1_800_000),
      notAfter: new Date(now + validMs),
      signingAlgorithm: algorithm,
      publicKey: keys.publicKey,
      signingKey: caKeys.privateKey,
      extensions: [
        new ExtendedKeyUsageExtension([usage]),
        ...(usage === ExtendedKeyUsage.serverAuth
          ? [
              new SubjectAlternativeNameExtension([
                { type: 'dns', value: dnsName },
                { type: 'ip', value: '127.0.0.1' },
              ]),
            ]
          : []),
      ],
    });
    return { cert: certificate.toString('pem'), key: await keyPem(keys.privateKey) };
  };
  const file = (name: string): string => join(dir, name);
  const server = await issue([{ CN: ['localhost'] }], ExtendedKeyUsage.serverAuth);
  const token = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  await Promise.all([
    writeFile(file('ca.crt'), ca.toString('pem')),
    writeFile(file('server.crt'), server.cert),
    writeFile(file('server.key'), server.key),
    writeFile(file('sa.key'), token.privateKey.export({ type: 'pkcs8', format: 'pem' })),
  ]);
  return {
    dir,
    ca: ca.toString('pem'),
    file,
    server: (dnsName) => issue([{ CN: [dnsName] }], ExtendedKeyUsage.serverAuth, undefined, dnsName),
    client: (commonName, organizations = [], o = {}) =>
      issue([...organizations.map((v) => ({ O: [v] })), { CN: [commonName] }], ExtendedKeyUsage.clientAuth, o.validMs),
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  };
}

import 'reflect-metadata';
import { createPrivateKey, randomBytes, webcrypto, type KeyObject } from 'node:crypto';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  X509Certificate,
  X509CertificateGenerator,
  type Extension,
  type Pkcs10CertificateRequest,
} from '@peculiar/x509';

const keyUsages: Readonly<Record<string, KeyUsageFlags>> = {
  'digital signature': KeyUsageFlags.digitalSignature,
  'content commitment': KeyUsageFlags.nonRepudiation,
  'key encipherment': KeyUsageFlags.keyEncipherment,
  'key agreement': KeyUsageFlags.keyAgreement,
  'data encipherment': KeyUsageFlags.dataEncipherment,
};
const extendedUsages: Readonly<Record<string, ExtendedKeyUsage>> = {
  'server auth': ExtendedKeyUsage.serverAuth,
  'client auth': ExtendedKeyUsage.clientAuth,
};

/** Clocks of the cluster's machines may differ by this. */
const backdateMs = 5 * 60_000;
/** Certificates that live shorter keep their whole length after now. */
const shortLivedMs = 8 * 3_600_000;
const minimumMs = 600_000;

type Algorithm = {
  readonly import: webcrypto.RsaHashedImportParams | webcrypto.EcKeyImportParams;
  readonly sign: webcrypto.Algorithm | webcrypto.EcdsaParams;
};

function algorithmOf(key: KeyObject): Algorithm {
  if (key.asymmetricKeyType === 'rsa')
    return { import: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }, sign: { name: 'RSASSA-PKCS1-v1_5' } };
  const curve = { prime256v1: 'P-256', secp384r1: 'P-384', secp521r1: 'P-521' }[key.asymmetricKeyDetails?.namedCurve ?? ''];
  if (key.asymmetricKeyType !== 'ec' || curve === undefined)
    throw new Error(`a CA key of type ${key.asymmetricKeyType ?? 'unknown'} is not supported`);
  return { import: { name: 'ECDSA', namedCurve: curve }, sign: { name: 'ECDSA', hash: curve === 'P-256' ? 'SHA-256' : 'SHA-384' } };
}

export interface SigningOrder {
  readonly request: Pkcs10CertificateRequest;
  readonly usages: readonly string[];
  /** What the requester wishes; the CA's longest if absent. */
  readonly expirationSeconds: number | undefined;
  readonly nowMs: number;
}
export interface CertificateAuthority {
  /** A certificate with the request's subject, names and key; PEM. */
  sign(order: SigningOrder): Promise<string>;
}

/** Reads a CA from PEM (RSA or ECDSA). Throws when the key can't sign. */
export async function openCertificateAuthority(o: {
  certificate: string;
  key: string;
  maxDurationMs: number;
}): Promise<CertificateAuthority> {
  const ca = new X509Certificate(o.certificate);
  const key = createPrivateKey(o.key);
  const algorithm = algorithmOf(key);
  const signingKey = await webcrypto.subtle.importKey('pkcs8', key.export({ type: 'pkcs8', format: 'der' }), algorithm.import, false, [
    'sign',
  ]);
  return {
    sign: async ({ request, usages, expirationSeconds, nowMs }) => {
      const flags = usages.reduce((all, u) => all | (keyUsages[u] ?? 0), 0);
      const extended = usages.map((u) => extendedUsages[u]).filter((u) => u !== undefined);
      const names = request.extensions.find((e): e is SubjectAlternativeNameExtension => e instanceof SubjectAlternativeNameExtension);
      const extensions: Extension[] = [
        new KeyUsagesExtension(flags as KeyUsageFlags, true),
        ...(extended.length === 0 ? [] : [new ExtendedKeyUsageExtension(extended)]),
        new BasicConstraintsExtension(false, undefined, true),
        await AuthorityKeyIdentifierExtension.create(ca.publicKey),
        ...(names === undefined ? [] : [names]),
      ];
      const wishedMs = expirationSeconds === undefined ? o.maxDurationMs : Math.max(expirationSeconds * 1000, minimumMs);
      const durationMs = Math.min(wishedMs, o.maxDurationMs);
      const endMs = nowMs + durationMs - (durationMs < shortLivedMs ? 0 : backdateMs);
      const serial = randomBytes(16);
      serial[0] = (serial[0] ?? 0) & 0x7f;
      const certificate = await X509CertificateGenerator.create({
        serialNumber: serial.toString('hex'),
        subject: request.subjectName.toJSON(),
        issuer: ca.subjectName.toJSON(),
        notBefore: new Date(Math.max(nowMs - backdateMs, ca.notBefore.getTime())),
        notAfter: new Date(Math.min(endMs, ca.notAfter.getTime())),
        publicKey: request.publicKey,
        signingKey: signingKey,
        signingAlgorithm: algorithm.sign,
        extensions,
      });
      return `${certificate.toString('pem')}\n`;
    },
  };
}

import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { X509CertificateGenerator, SubjectAlternativeNameExtension } from '@peculiar/x509';

const yearMs = 365 * 86_400_000;

/** A server certificate of the node's own, for when none was given to it. */
export async function selfSigned(nodeName: string, addresses: readonly string[]): Promise<{ cert: string; key: string }> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.createSelfSigned(
    {
      name: `CN=${nodeName}`,
      notBefore: new Date(Date.now() - 3_600_000),
      notAfter: new Date(Date.now() + yearMs),
      signingAlgorithm: algorithm,
      keys: keys as never,
      extensions: [
        new SubjectAlternativeNameExtension([
          { type: 'dns', value: nodeName },
          ...addresses.map((value) => ({ type: 'ip' as const, value })),
        ]),
      ],
    },
    webcrypto as never,
  );
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  const key = `-----BEGIN PRIVATE KEY-----\n${(der.toString('base64').match(/.{1,64}/g) ?? []).join('\n')}\n-----END PRIVATE KEY-----\n`;
  return { cert: certificate.toString('pem'), key };
}

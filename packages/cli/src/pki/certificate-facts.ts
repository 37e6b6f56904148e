import { X509Certificate } from 'node:crypto';

export interface CertificateFacts {
  readonly notAfterMs: number;
  /** DNS names and addresses it is good for. */
  readonly names: readonly string[];
}

/** IPv6 addresses are printed in full by OpenSSL and short elsewhere: compared in one form. */
const normalise = (name: string): string => (name.includes(':') ? new URL(`http://[${name}]`).hostname.slice(1, -1) : name);

/** What decides whether a certificate on disk is still good. Throws when it is none. */
export function readCertificate(pem: string): CertificateFacts {
  const certificate = new X509Certificate(pem);
  const names = (certificate.subjectAltName ?? '')
    .split(', ')
    .filter((n) => n !== '')
    .map((n) => normalise(n.slice(n.indexOf(':') + 1)));
  return { notAfterMs: Date.parse(certificate.validTo), names };
}

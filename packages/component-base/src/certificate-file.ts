import { createPrivateKey, X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** What decides whether a certificate is still good. */
export interface CertificateFacts {
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** DNS names and addresses it is good for; IPv6 in its short form. */
  readonly names: readonly string[];
  /** As OpenSSL prints it, a line for each part: `O=system:nodes\nCN=system:node:a`. */
  readonly subject: string;
}

/** A key with its certificate as they lie on disk. */
export interface StoredCertificate extends CertificateFacts {
  /** Both; good for a TLS socket as its key and as its certificate. */
  readonly pem: string;
  /** When it was written here. Signers date certificates back, so `notBeforeMs` is no measure for its age. */
  readonly storedAtMs: number;
}

/** IPv6 addresses are printed in full by OpenSSL and short elsewhere: compared in one form. */
const normalise = (name: string): string => (name.includes(':') ? new URL(`http://[${name}]`).hostname.slice(1, -1) : name);

const certificateBlock = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/;

function factsOf(certificate: X509Certificate): CertificateFacts {
  return {
    notBeforeMs: Date.parse(certificate.validFrom),
    notAfterMs: Date.parse(certificate.validTo),
    names: (certificate.subjectAltName ?? '')
      .split(', ')
      .filter((n) => n !== '')
      .map((n) => normalise(n.slice(n.indexOf(':') + 1))),
    subject: certificate.subject,
  };
}

/** Facts of the first certificate in a PEM text. Throws when there is none. */
export const readCertificate = (pem: string): CertificateFacts => factsOf(new X509Certificate(certificateBlock.exec(pem)?.[0] ?? ''));

/** Whether one of the certificates in `authorities` has signed the first one of `pem`; both PEM. Throws when `pem` has none. */
export function isIssuedBy(pem: string, authorities: string): boolean {
  const certificate = new X509Certificate(certificateBlock.exec(pem)?.[0] ?? '');
  const blocks = authorities.match(new RegExp(certificateBlock, 'g')) ?? [];
  return blocks.some((block) => certificate.verify(new X509Certificate(block).publicKey));
}

/** Reads what `writeCertificateFile` wrote; undefined when it is absent or no pair, so that a new one is made. */
export function readCertificateFile(file: string): StoredCertificate | undefined {
  if (!existsSync(file)) return undefined;
  const pem = readFileSync(file, 'utf8');
  try {
    const certificate = new X509Certificate(certificateBlock.exec(pem)?.[0] ?? '');
    if (!certificate.checkPrivateKey(createPrivateKey(pem))) return undefined;
    return { ...factsOf(certificate), pem, storedAtMs: statSync(file).mtimeMs };
  } catch {
    return undefined; // half a file, or none of ours
  }
}

/** Key and certificate in one file, so that a reader never sees one without the other. Readable for its owner only. */
export function writeCertificateFile(file: string, pem: string): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o755 });
  writeFileSync(`${file}.new`, pem, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

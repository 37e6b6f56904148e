import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';

interface PEMBlock {
  readonly type: string;
  readonly text: string;
}

const blocksOf = (pem: string): PEMBlock[] =>
  [...pem.matchAll(/-----BEGIN ([^-]+)-----[^-]*-----END \1-----/g)].map((m) => ({ type: m[1] ?? '', text: m[0] }));

const typesOf = (blocks: readonly PEMBlock[]): string => `[${blocks.map((b) => b.type).join(' ')}]`;

/** Why a certificate (chain) and a key are no pair, in the words of Go's crypto/tls; undefined when they are one. */
export function keyPairComplaint(certificatePEM: string, keyPEM: string): string | undefined {
  const blocks = blocksOf(certificatePEM);
  const certificate = blocks.find((b) => b.type === 'CERTIFICATE');
  if (certificate === undefined) {
    if (blocks.length === 0) return 'tls: failed to find any PEM data in certificate input';
    if (blocks.length === 1 && blocks[0]?.type.endsWith('PRIVATE KEY')) {
      return 'tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched';
    }
    return `tls: failed to find "CERTIFICATE" PEM block in certificate input after skipping PEM blocks of the following types: ${typesOf(blocks)}`;
  }
  const keyBlocks = blocksOf(keyPEM);
  const key = keyBlocks.find((b) => b.type === 'PRIVATE KEY' || b.type.endsWith(' PRIVATE KEY'));
  if (key === undefined) {
    if (keyBlocks.length === 0) return 'tls: failed to find any PEM data in key input';
    if (keyBlocks.length === 1 && keyBlocks[0]?.type === 'CERTIFICATE') {
      return 'tls: found a certificate rather than a key in the PEM for the private key';
    }
    return `tls: failed to find PEM block with type ending in "PRIVATE KEY" in key input after skipping PEM blocks of the following types: ${typesOf(keyBlocks)}`;
  }
  return mismatch(certificate.text, key.text);
}

function parsed<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch {
    return undefined;
  }
}

function mismatch(certificatePEM: string, keyPEM: string): string | undefined {
  const certified = parsed(() => new X509Certificate(certificatePEM).publicKey);
  if (certified === undefined) return 'x509: malformed certificate';
  const own = parsed(() => createPublicKey(createPrivateKey(keyPEM)));
  if (own === undefined) return 'tls: failed to parse private key';
  if (own.asymmetricKeyType !== certified.asymmetricKeyType) return 'tls: private key type does not match public key type';
  return own.equals(certified) ? undefined : 'tls: private key does not match public key';
}

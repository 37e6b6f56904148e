import { lookupTable } from '@skiff/apimachinery';
import { createPublicKey, type KeyObject, verify } from 'node:crypto';

interface Element {
  readonly tag: number;
  /** With tag and length. */
  readonly whole: Buffer;
  readonly content: Buffer;
}

const malformed = 'asn1: structure error: malformed certificate request';

/** The DER elements that follow each other in `der`. */
function elementsOf(der: Buffer): Element[] {
  const elements: Element[] = [];
  for (let at = 0; at < der.length; ) {
    const start = at;
    const tag = der[at++] ?? 0;
    let length = der[at++];
    if (length === undefined || length === 0x80) throw new Error(malformed);
    if (length > 0x80) {
      const bytes = length & 0x7f;
      if (bytes > 4 || at + bytes > der.length) throw new Error(malformed);
      length = der.readUIntBE(at, bytes);
      at += bytes;
    }
    if (at + length > der.length) throw new Error(malformed);
    elements.push({ tag, whole: der.subarray(start, at + length), content: der.subarray(at, at + length) });
    at += length;
  }
  return elements;
}

/** Object identifiers of signature algorithms, in hex → digest; null: the key's own. */
const algorithms = lookupTable<string | null>({
  '2a864886f70d010105': 'sha1',
  '2a864886f70d01010b': 'sha256',
  '2a864886f70d01010c': 'sha384',
  '2a864886f70d01010d': 'sha512',
  '2a8648ce3d0401': 'sha1',
  '2a8648ce3d040302': 'sha256',
  '2a8648ce3d040303': 'sha384',
  '2a8648ce3d040304': 'sha512',
  '2b6570': null,
});

const failures: Readonly<Record<string, string>> = {
  rsa: 'crypto/rsa: verification error',
  ec: 'x509: ECDSA verification failure',
  ed25519: 'x509: Ed25519 verification failure',
};

/** PKCS #10: SEQUENCE { info { version, subject, key, attributes }, algorithm, BIT STRING }. */
function checkSignature(der: Buffer): string | undefined {
  const [info, algorithm, signature] = elementsOf(elementsOf(der)[0]?.content ?? Buffer.alloc(0));
  const key = info && elementsOf(info.content)[2];
  const oid = algorithm && elementsOf(algorithm.content)[0];
  if (!info || !key || !oid || signature?.tag !== 3) return malformed;
  const digest = algorithms[oid.content.toString('hex')];
  if (digest === undefined) return 'x509: cannot verify signature: algorithm unimplemented';
  let publicKey: KeyObject;
  try {
    publicKey = createPublicKey({ key: key.whole, format: 'der', type: 'spki' });
  } catch {
    return 'x509: unsupported public key';
  }
  // The first byte of a BIT STRING counts its unused bits.
  if (verify(digest, info.whole, publicKey, signature.content.subarray(1))) return undefined;
  return failures[publicKey.asymmetricKeyType ?? ''] ?? 'x509: signature verification failure';
}

/** Why `pem` is no certificate request signed with the key it names; undefined when it is one. */
export function certificateRequestComplaint(pem: string): string | undefined {
  const block = /-----BEGIN ([^-]+)-----\s+([A-Za-z0-9+/=\s]+)-----END \1-----/.exec(pem);
  if (block?.[1] !== 'CERTIFICATE REQUEST') return 'PEM block type must be CERTIFICATE REQUEST';
  try {
    return checkSignature(Buffer.from(block[2] ?? '', 'base64'));
  } catch {
    return malformed;
  }
}

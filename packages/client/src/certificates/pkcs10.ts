import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { isIP } from 'node:net';

/** Who a certificate is for. Names and addresses go into its subject alternative name. */
export interface CertificateIdentity {
  readonly commonName: string;
  readonly organizations: readonly string[];
  readonly dnsNames?: readonly string[];
  readonly ipAddresses?: readonly string[];
}

// DER (X.690): a tag, a length, the content.
function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  if (body.length < 128) return Buffer.concat([Buffer.from([tag, body.length]), body]);
  const length = Buffer.from(body.length.toString(16).padStart(body.length > 0xff ? 4 : 2, '0'), 'hex');
  return Buffer.concat([Buffer.from([tag, 0x80 | length.length]), length, body]);
}
const sequence = (...parts: readonly Uint8Array[]): Buffer => der(0x30, ...parts);
const set = (...parts: readonly Uint8Array[]): Buffer => der(0x31, ...parts);
const utf8 = (text: string): Buffer => der(0x0c, Buffer.from(text));

function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const bytes = rest.flatMap((n) => {
    const groups = [n & 0x7f];
    for (let left = n >> 7; left > 0; left >>= 7) groups.unshift((left & 0x7f) | 0x80);
    return groups;
  });
  return der(0x06, Buffer.from([first * 40 + second, ...bytes]));
}

const ids = {
  commonName: oid('2.5.4.3'),
  organization: oid('2.5.4.10'),
  extensionRequest: oid('1.2.840.113549.1.9.14'),
  subjectAlternativeName: oid('2.5.29.17'),
  ecdsaWithSha256: oid('1.2.840.10045.4.3.2'),
} as const;

const attribute = (id: Buffer, value: string): Buffer => set(sequence(id, utf8(value)));

function addressBytes(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split('.').map(Number));
  if (isIP(address) !== 6) throw new TypeError(`${JSON.stringify(address)} is no IP address`);
  // The URL parser writes every IPv6 address in one form: no leading zeros, at most one "::", dotted quads as groups.
  const [head = '', tail = ''] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::');
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'));
  const [left, right] = [groups(head), groups(tail)];
  const all = [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right];
  return Buffer.from(all.map((g) => g.padStart(4, '0')).join(''), 'hex');
}

function attributes(identity: CertificateIdentity): Buffer {
  const names = [
    ...(identity.dnsNames ?? []).map((name) => der(0x82, Buffer.from(name))),
    ...(identity.ipAddresses ?? []).map((address) => der(0x87, addressBytes(address))),
  ];
  if (names.length === 0) return der(0xa0);
  const extension = sequence(ids.subjectAlternativeName, der(0x04, sequence(...names)));
  return der(0xa0, sequence(ids.extensionRequest, set(sequence(extension))));
}

const pem = (label: string, bytes: Buffer): string =>
  `-----BEGIN ${label}-----\n${(bytes.toString('base64').match(/.{1,64}/g) ?? []).join('\n')}\n-----END ${label}-----\n`;

/**
 * A new EC P-256 key (PKCS #8, PEM) and a certificate request (PKCS #10, RFC 2986, PEM) for it. Written by hand because every host
 * asks for certificates and X.509 libraries are large. Throws for what is no IP address.
 */
export function createCertificateRequest(identity: CertificateIdentity): { readonly key: string; readonly request: string } {
  const { privateKey: key } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  const privateKey = createPrivateKey(key);
  const subject = sequence(
    ...identity.organizations.map((name) => attribute(ids.organization, name)),
    attribute(ids.commonName, identity.commonName),
  );
  const publicKey = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  const info = sequence(der(0x02, Buffer.from([0])), subject, publicKey, attributes(identity));
  const signature = der(0x03, Buffer.from([0]), sign('sha256', info, privateKey));
  return { key, request: pem('CERTIFICATE REQUEST', sequence(info, sequence(ids.ecdsaWithSha256), signature)) };
}

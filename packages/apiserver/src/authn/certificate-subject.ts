/** The parts of an X.509 subject that make a user. */
export interface CertificateSubject {
  readonly commonName: string;
  readonly organizations: readonly string[];
  /** Values of 1.3.6.1.4.1.57683.2, by which upstream carries a user's uid. */
  readonly uids: readonly string[];
}

interface Node {
  readonly tag: number;
  readonly body: Buffer;
  readonly next: number;
}

/** One DER element of `bytes` at `at`. Throws on anything malformed. */
function readDer(bytes: Buffer, at: number): Node {
  const tag = bytes[at];
  const first = bytes[at + 1];
  if (tag === undefined || first === undefined) throw new Error('certificate: truncated DER');
  let length = first;
  let start = at + 2;
  if (first >= 0x80) {
    const count = first & 0x7f;
    if (count === 0 || count > 4 || start + count > bytes.length) throw new Error('certificate: bad DER length');
    length = bytes.readUIntBE(start, count);
    start += count;
  }
  if (start + length > bytes.length) throw new Error('certificate: truncated DER');
  return { tag, body: bytes.subarray(start, start + length), next: start + length };
}

function children(body: Buffer): Node[] {
  const out: Node[] = [];
  for (let at = 0; at < body.length; ) {
    const node = readDer(body, at);
    out.push(node);
    at = node.next;
  }
  return out;
}

function decodeString(node: Node): string {
  switch (node.tag) {
    case 0x0c:
    case 0x13:
    case 0x16:
      return node.body.toString('utf8');
    case 0x14:
      return node.body.toString('latin1');
    case 0x1e:
      return Buffer.from(node.body).swap16().toString('utf16le');
    default:
      throw new Error(`certificate: string type ${node.tag} in subject is not supported`);
  }
}

const commonNameOid = '550403';
const organizationOid = '55040a';
const uidOid = '2b0601040183c24302';

/**
 * Reads the subject from the DER itself: the text form that node gives can't tell an escaped separator in a name from a real
 * one safely, and who is in `system:masters` hangs on it.
 */
export function readSubject(der: Buffer): CertificateSubject {
  const certificate = readDer(der, 0);
  const tbs = children(readDer(certificate.body, 0).body);
  const hasVersion = tbs[0]?.tag === 0xa0 ? 1 : 0;
  const subject = tbs[4 + hasVersion];
  if (subject === undefined) throw new Error('certificate: no subject');
  return subjectOf(subject);
}

function subjectOf(subject: Node): CertificateSubject {
  let commonName = '';
  const organizations: string[] = [];
  const uids: string[] = [];
  for (const rdn of children(subject.body)) {
    for (const attribute of children(rdn.body)) {
      const [oid, value] = children(attribute.body);
      if (oid === undefined || value === undefined) throw new Error('certificate: malformed subject');
      const id = oid.body.toString('hex');
      if (id === commonNameOid) commonName = decodeString(value);
      else if (id === organizationOid) organizations.push(decodeString(value));
      else if (id === uidOid) uids.push(decodeString(value));
    }
  }
  return { commonName, organizations, uids };
}

/** The subject of a PEM certificate request (PKCS #10). Throws when it is none. */
export function readRequestSubject(pem: string): CertificateSubject {
  const block = /-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----([\s\S]+?)-----END/.exec(pem);
  if (block?.[1] === undefined) throw new Error('PEM block type must be CERTIFICATE REQUEST');
  const der = Buffer.from(block[1].replace(/\s/g, ''), 'base64');
  const info = children(readDer(readDer(der, 0).body, 0).body);
  const subject = info[1];
  if (subject === undefined) throw new Error('certificate request: no subject');
  return subjectOf(subject);
}

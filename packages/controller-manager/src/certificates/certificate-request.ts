import 'reflect-metadata';
import { Pkcs10CertificateRequest, SubjectAlternativeNameExtension, type JsonName } from '@peculiar/x509';

/** What a PKCS #10 request asks for. */
export interface RequestedIdentity {
  readonly commonName: string;
  readonly organizations: readonly string[];
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
  readonly emailAddresses: readonly string[];
  readonly uris: readonly string[];
}

export interface ParsedRequest {
  readonly request: Pkcs10CertificateRequest;
  readonly identity: RequestedIdentity;
}

const valuesOf = (name: JsonName, attribute: string): readonly string[] => name.flatMap((rdn) => (rdn[attribute] ?? []) as string[]);

/** Parses `spec.request` (base64 of PEM) and checks its signature. Throws for what is none. */
export async function parseCertificateRequest(base64: string): Promise<ParsedRequest> {
  const request = new Pkcs10CertificateRequest(Buffer.from(base64, 'base64').toString('utf8'));
  if (!(await request.verify())) throw new Error('the signature of the certificate request is not valid');
  const subject = request.subjectName.toJSON();
  const names = request.extensions.find((e) => e instanceof SubjectAlternativeNameExtension)?.names.items ?? [];
  const ofType = (type: string): readonly string[] => names.filter((n) => n.type === type).map((n) => n.value);
  return {
    request,
    identity: {
      commonName: valuesOf(subject, 'CN')[0] ?? '',
      organizations: valuesOf(subject, 'O'),
      dnsNames: ofType('dns'),
      ipAddresses: ofType('ip'),
      emailAddresses: ofType('email'),
      uris: ofType('url'),
    },
  };
}

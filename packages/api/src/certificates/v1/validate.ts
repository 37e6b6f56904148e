import { X509Certificate } from 'node:crypto';
import { type DeepReadonly, type FieldErrors } from '@skiff/apimachinery';
import type { CertificateSigningRequest, CertificateSigningRequestCondition } from '../../generated/types/certificates-v1.ts';
import { deepEqual } from '../../semantic-equality.ts';
import { certificateRequestComplaint } from './certificate-request.ts';
import { validateSignerName } from './signer-name.ts';

type CSR = DeepReadonly<CertificateSigningRequest>;
type Condition = DeepReadonly<CertificateSigningRequestCondition>;

const usages = [
  'any',
  'cert sign',
  'client auth',
  'code signing',
  'content commitment',
  'crl sign',
  'data encipherment',
  'decipher only',
  'digital signature',
  'email protection',
  'encipher only',
  'ipsec end system',
  'ipsec tunnel',
  'ipsec user',
  'key agreement',
  'key encipherment',
  'microsoft sgc',
  'netscape sgc',
  'ocsp signing',
  's/mime',
  'server auth',
  'signing',
  'timestamping',
];
const legacySigner = 'kubernetes.io/legacy-unknown';
const minExpirationSeconds = 600;

const decoded = (base64: string | undefined): string => Buffer.from(base64 ?? '', 'base64').toString();
const hasDuplicates = (list: readonly string[]): boolean => new Set(list).size < list.length;
const conditionsOf = (csr: CSR): readonly Condition[] => csr.status?.conditions ?? [];
const ofType = (csr: CSR, type: string): readonly Condition[] => conditionsOf(csr).filter((c) => c.type === type);

/** `old`: what is stored may keep faults that today's rules refuse. */
export function validateCSR(csr: CSR, errors: FieldErrors, old?: CSR): void {
  const { request, usages: asked = [], signerName, expirationSeconds } = csr.spec;
  const complaint = certificateRequestComplaint(decoded(request));
  if (complaint !== undefined) errors.invalid('spec.request', request, complaint);
  if (asked.length === 0) errors.required('spec.usages');
  const before = old?.spec.usages ?? [];
  if (before.every((u) => usages.includes(u))) {
    for (const [i, usage] of asked.entries()) if (!usages.includes(usage)) errors.notSupported(`spec.usages[${i}]`, usage, usages);
  }
  if (!hasDuplicates(before)) {
    for (const [i, usage] of asked.entries()) if (asked.indexOf(usage) < i) errors.duplicate(`spec.usages[${i}]`, usage);
  }
  if (signerName === legacySigner && old?.spec.signerName !== legacySigner) {
    errors.invalid('spec.signerName', signerName, 'the legacy signerName is not allowed via this API version');
  } else validateSignerName(signerName, 'spec.signerName', errors);
  if (expirationSeconds !== undefined && expirationSeconds < minExpirationSeconds) {
    errors.invalid('spec.expirationSeconds', expirationSeconds, 'may not specify a duration less than 600 seconds (10 minutes)');
  }
  validateConditions(csr, errors, old);
  validateCertificate(csr, errors, old);
}

function validateConditions(csr: CSR, errors: FieldErrors, old: CSR | undefined): void {
  const path = 'status.conditions';
  const before = old === undefined ? [] : conditionsOf(old);
  const typesBefore = before.map((c) => c.type);
  const bothAllowed = typesBefore.includes('Approved') && typesBefore.includes('Denied');
  const seen = new Set<string>();
  for (const [i, { type, status }] of conditionsOf(csr).entries()) {
    if (type === '' && !typesBefore.includes('')) errors.required(`${path}[${i}].type`);
    const supported = ['Approved', 'Denied', 'Failed'].includes(type) ? ['True'] : ['False', 'True', 'Unknown'];
    if (!status) errors.required(`${path}[${i}].status`);
    else if (!supported.includes(status)) errors.notSupported(`${path}[${i}].status`, status, supported);
    const other = type === 'Approved' ? 'Denied' : type === 'Denied' ? 'Approved' : undefined;
    if (!bothAllowed && other !== undefined && seen.has(other)) {
      errors.invalid(path, type, 'Approved and Denied conditions are mutually exclusive');
    }
    if (seen.has(type) && !hasDuplicates(typesBefore)) errors.duplicate(`${path}[${i}].type`, type);
    seen.add(type);
  }
}

/** Why the text is no chain of certificates; undefined also for none at all. */
function certificateComplaint(pem: string): string | undefined {
  if (pem === '') return undefined;
  const blocks = [...pem.matchAll(/-----BEGIN ([^-]+)-----([^-]*)-----END \1-----/g)];
  for (const [text, type, body] of blocks) {
    if (type !== 'CERTIFICATE') return `only CERTIFICATE PEM blocks are allowed, found ${JSON.stringify(type)}`;
    if (body?.includes(':')) return 'no PEM block headers are permitted';
    if (body?.trim() === '') return 'found CERTIFICATE PEM block containing 0 certificates';
    try {
      new X509Certificate(text);
    } catch {
      return 'x509: malformed certificate';
    }
  }
  return blocks.length === 0 ? 'must contain at least one CERTIFICATE PEM block' : undefined;
}

function validateCertificate(csr: CSR, errors: FieldErrors, old: CSR | undefined): void {
  const certificate = csr.status?.certificate ?? '';
  if (old !== undefined) {
    const before = old.status?.certificate ?? '';
    if (certificate === before || certificateComplaint(decoded(before)) !== undefined) return;
  }
  const complaint = certificateComplaint(decoded(certificate));
  if (complaint !== undefined) errors.invalid('status.certificate', '<certificate data>', complaint);
}

/** What this way of writing may change. */
export interface CSRUpdateRules {
  readonly approval?: boolean;
  readonly certificate?: boolean;
}

export function validateCSRUpdate(csr: CSR, old: CSR, rules: CSRUpdateRules, errors: FieldErrors): void {
  validateCSR(csr, errors, old);
  const path = 'status.conditions';
  for (const type of ['Approved', 'Denied', 'Failed']) {
    if (ofType(csr, type).length < ofType(old, type).length) {
      errors.forbidden(path, `updates may not remove a condition of type ${JSON.stringify(type)}`);
    }
  }
  for (const type of rules.approval ? [] : ['Approved', 'Denied']) {
    const [now, before] = [ofType(csr, type), ofType(old, type)];
    if (now.length > before.length) errors.forbidden(path, `updates may not add a condition of type ${JSON.stringify(type)}`);
    else if (now.length === before.length && !deepEqual(now, before)) {
      errors.forbidden(path, `updates may not modify a condition of type ${JSON.stringify(type)}`);
    }
  }
  const certificate = old.status?.certificate ?? '';
  if ((csr.status?.certificate ?? '') === certificate) return;
  if (!rules.certificate) errors.forbidden('status.certificate', 'updates may not set certificate content');
  else if (certificate !== '') errors.forbidden('status.certificate', 'updates may not modify existing certificate content');
}

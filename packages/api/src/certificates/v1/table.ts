import type { DeepReadonly } from '@skiff/apimachinery';
import type { CertificateSigningRequest } from '../../generated/types/certificates-v1.ts';
import { age, defineTable, formatDuration, nameColumn, nameOf, orNone } from '../../table.ts';

function condition(csr: DeepReadonly<CertificateSigningRequest>): string {
  const has = (type: string): boolean => (csr.status?.conditions ?? []).some((c) => c.type === type);
  const decision = has('Denied') ? 'Denied' : has('Approved') ? 'Approved' : 'Pending';
  return `${decision}${has('Failed') ? ',Failed' : ''}${csr.status?.certificate ? ',Issued' : ''}`;
}

export const csrTable = defineTable<CertificateSigningRequest>(
  [nameColumn, 'Age', 'SignerName', 'Requestor', 'RequestedDuration', 'Condition'],
  (csr, nowMs) => [
    nameOf(csr),
    age(csr, nowMs),
    orNone(csr.spec?.signerName),
    csr.spec?.username ?? '',
    csr.spec?.expirationSeconds === undefined ? '<none>' : formatDuration(csr.spec.expirationSeconds * 1000),
    condition(csr),
  ],
);

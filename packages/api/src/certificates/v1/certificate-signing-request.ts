import { defineResource } from '../../define-resource.ts';
import type { CertificateSigningRequest } from '../../generated/types/certificates-v1.ts';
import { statusSubresource } from '../../spec-and-status.ts';
import { csrApprovalStrategy, csrStatusStrategy, csrStrategy } from './strategy.ts';
import { csrTable } from './table.ts';

export const certificateSigningRequest = defineResource<CertificateSigningRequest>({
  group: 'certificates.k8s.io',
  version: 'v1',
  kind: 'CertificateSigningRequest',
  plural: 'certificatesigningrequests',
  scope: 'Cluster',
  shortNames: ['csr'],
  schemaName: 'io.k8s.api.certificates.v1.CertificateSigningRequest',
  storageVersionHash: '95fRKMXA+00=',
  resetFields: ['spec', 'status'],
  strategy: csrStrategy,
  selectableFields: { 'spec.signerName': (c) => c.spec?.signerName ?? '' },
  table: csrTable,
  subresources: {
    approval: {
      kind: 'CertificateSigningRequest',
      verbs: ['get', 'patch', 'update'],
      strategy: csrApprovalStrategy,
      resetFields: ['spec', 'status.certificate'],
    },
    status: {
      ...statusSubresource('CertificateSigningRequest', csrStatusStrategy),
      resetFields: ['spec', 'status.conditions'],
    },
  },
});

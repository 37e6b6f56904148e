import { defineResource } from '../../define-resource.ts';
import type { CertificateSigningRequest } from '../../generated/types/certificates-v1.ts';
import { statusSubresource } from '../../spec-and-status.ts';

export const certificateSigningRequest = defineResource<CertificateSigningRequest>({
  group: 'certificates.k8s.io',
  version: 'v1',
  kind: 'CertificateSigningRequest',
  plural: 'certificatesigningrequests',
  scope: 'Cluster',
  shortNames: ['csr'],
  schemaName: 'io.k8s.api.certificates.v1.CertificateSigningRequest',
  storageVersionHash: '95fRKMXA+00=',
  resetFields: ['status'],
  subresources: {
    approval: { kind: 'CertificateSigningRequest', verbs: ['get', 'patch', 'update'], strategy: {} },
    status: statusSubresource('CertificateSigningRequest'),
  },
});

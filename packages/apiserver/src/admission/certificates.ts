import { isDeepStrictEqual } from 'node:util';
import type { CertificateSigningRequest } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import { readRequestSubject } from '../authn/certificate-subject.ts';
import { type Authorizer, resourceAttributes } from '../authz/authorizer.ts';
import type { AdmissionRequest } from '../contract.ts';
import { type AdmissionPlugin, isFor } from './plugin.ts';
import { refuse } from './refuse.ts';

const group = 'certificates.k8s.io';
const resource = 'certificatesigningrequests';
const clientSigner = 'kubernetes.io/kube-apiserver-client';

const oldRequest = (r: AdmissionRequest): DeepReadonly<CertificateSigningRequest> =>
  r.oldObject as unknown as DeepReadonly<CertificateSigningRequest>;

/** By the signer's own name, or for all of its domain as `example.com/*`. */
async function maySigner(authorizer: Authorizer, r: AdmissionRequest, verb: string, signer: string): Promise<boolean> {
  const asks = async (name: string): Promise<boolean> =>
    (await authorizer.authorize(resourceAttributes(r.user, { verb, group, version: '*', resource: 'signers', name }))).decision === 'allow';
  return (await asks(signer)) || (await asks(`${signer.split('/')[0] ?? ''}/*`));
}

/** Approving needs the right to `approve` for the signer. */
export const certificateApproval = (authorizer: () => Authorizer): AdmissionPlugin => ({
  name: 'CertificateApproval',
  handles: (r) => r.operation === 'UPDATE' && isFor(r, group, resource, 'approval'),
  validate: async (r) => {
    const signer = oldRequest(r).spec.signerName;
    if (!(await maySigner(authorizer(), r, 'approve', signer)))
      throw refuse(r, `user not permitted to approve requests with signerName ${JSON.stringify(signer)}`);
  },
});

/** Issuing needs the right to `sign` for the signer. */
export const certificateSigning = (authorizer: () => Authorizer): AdmissionPlugin => ({
  name: 'CertificateSigning',
  handles: (r) => r.operation === 'UPDATE' && isFor(r, group, resource, 'status'),
  validate: async (r) => {
    const old = oldRequest(r);
    const now = r.object as unknown as CertificateSigningRequest;
    if (
      now.status?.certificate === old.status?.certificate &&
      isDeepStrictEqual(now.status?.conditions ?? [], old.status?.conditions ?? [])
    )
      return;
    const signer = old.spec.signerName;
    if (!(await maySigner(authorizer(), r, 'sign', signer)))
      throw refuse(r, `user not permitted to sign requests with signerName ${JSON.stringify(signer)}`);
  },
});

/** Nobody gets a client certificate for system:masters from the API. */
export const certificateSubjectRestriction: AdmissionPlugin = {
  name: 'CertificateSubjectRestriction',
  handles: (r) => r.operation === 'CREATE' && isFor(r, group, resource),
  validate: (r) => {
    const wanted = r.object as unknown as CertificateSigningRequest;
    if (wanted.spec.signerName !== clientSigner) return;
    let organizations: readonly string[];
    try {
      organizations = readRequestSubject(Buffer.from(String(wanted.spec.request ?? ''), 'base64').toString('latin1')).organizations;
    } catch (error) {
      throw refuse(r, `failed to parse CSR: ${(error as Error).message}`);
    }
    if (organizations.includes('system:masters')) throw refuse(r, `use of ${clientSigner} signer with system:masters group is not allowed`);
  },
};

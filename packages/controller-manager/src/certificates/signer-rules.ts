import type { RequestedIdentity } from './certificate-request.ts';

export const clientSigner = 'kubernetes.io/kube-apiserver-client';
export const kubeletClientSigner = 'kubernetes.io/kube-apiserver-client-kubelet';
export const kubeletServingSigner = 'kubernetes.io/kubelet-serving';

type Rule = (identity: RequestedIdentity, usages: ReadonlySet<string>) => string | undefined;

const sameSet = (a: ReadonlySet<string>, b: readonly string[]): boolean => a.size === b.length && b.every((x) => a.has(x));
/** RSA keys also encipher keys; others may leave that out. */
const usagesAre = (usages: ReadonlySet<string>, purpose: string): boolean =>
  sameSet(usages, ['digital signature', purpose]) || sameSet(usages, ['digital signature', 'key encipherment', purpose]);

const kubeletIdentity: Rule = ({ organizations, emailAddresses, uris, commonName }) => {
  if (organizations.length !== 1 || organizations[0] !== 'system:nodes') return 'subject organization is not system:nodes';
  if (emailAddresses.length > 0) return 'email SANs are not allowed';
  if (uris.length > 0) return 'URI SANs are not allowed';
  return commonName.startsWith('system:node:') ? undefined : 'subject common name does not begin with system:node: prefix';
};

/** What the documented signers of Kubernetes sign ("Certificate Signing Requests", signers). A text is a reason not to. */
const rules: Readonly<Record<string, Rule>> = {
  [clientSigner]: (_identity, usages) => {
    const allowed = ['digital signature', 'key encipherment', 'client auth'];
    if (!usages.has('client auth')) return 'usages must contain client auth';
    return [...usages].every((u) => allowed.includes(u)) ? undefined : `usages other than ${allowed.join(', ')} are not allowed`;
  },
  [kubeletClientSigner]: (identity, usages) => {
    if (identity.dnsNames.length > 0) return 'DNS SANs are not allowed';
    if (identity.ipAddresses.length > 0) return 'IP SANs are not allowed';
    return (
      kubeletIdentity(identity, usages) ??
      (usagesAre(usages, 'client auth') ? undefined : 'usages did not match [client auth digital signature key encipherment]')
    );
  },
  [kubeletServingSigner]: (identity, usages) => {
    if (identity.dnsNames.length === 0 && identity.ipAddresses.length === 0) return 'DNS or IP subjectAltName is required';
    return (
      kubeletIdentity(identity, usages) ??
      (usagesAre(usages, 'server auth') ? undefined : 'usages did not match [digital signature key encipherment server auth]')
    );
  },
};

export const isKnownSigner = (name: string): boolean => Object.hasOwn(rules, name);

/** Why a request may not be signed; undefined when it may. */
export const refusal = (signerName: string, identity: RequestedIdentity, usages: readonly string[]): string | undefined =>
  rules[signerName]?.(identity, new Set(usages));

/** The proxies of all hosts are one user; a request for it names nothing else. */
export const isProxyIdentity = (identity: RequestedIdentity, usages: readonly string[]): boolean =>
  identity.commonName === 'system:kube-proxy' &&
  identity.organizations.length === 1 &&
  identity.organizations[0] === 'system:node-proxier' &&
  [identity.dnsNames, identity.ipAddresses, identity.emailAddresses, identity.uris].every((names) => names.length === 0) &&
  usagesAre(new Set(usages), 'client auth');

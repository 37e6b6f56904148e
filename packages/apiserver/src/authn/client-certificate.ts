import { createHash } from 'node:crypto';
import type { UserInfo } from '../contract.ts';
import type { ClientConnection } from '../server/exchange.ts';
import type { CaBundle } from '../server/tls-files.ts';
import { AuthenticationError, type RequestAuthenticator } from './authenticator.ts';
import { readSubject } from './certificate-subject.ts';
import { type Validity, verifyClientChain } from './client-chain.ts';

type Verdict = { readonly user: UserInfo; readonly validity: Validity } | { readonly refused: string };

function judge(connection: ClientConnection, bundle: CaBundle): Verdict {
  const [leaf, ...intermediates] = connection.certificates;
  if (leaf === undefined) return { refused: 'no certificate' };
  const validity = verifyClientChain(leaf, intermediates, bundle.certificates);
  if (validity === undefined) return { refused: 'x509: certificate signed by unknown authority' };
  const subject = readSubject(leaf.raw);
  if (subject.commonName === '') return { refused: 'x509: the subject has no common name' };
  if (subject.uids.length > 1) return { refused: 'x509: the subject has more than one uid' };
  return {
    validity,
    user: {
      name: subject.commonName,
      groups: subject.organizations,
      ...(subject.uids[0] === undefined ? {} : { uid: subject.uids[0] }),
      extra: { 'authentication.kubernetes.io/credential-id': [`X509SHA256=${createHash('sha256').update(leaf.raw).digest('hex')}`] },
    },
  };
}

/**
 * Users by client certificate: CN is the name, O the groups. The chain is verified once for a connection and bundle; the dates
 * count for every request, so a certificate that expires stops working on a live connection.
 */
export function createClientCertificateAuthenticator(deps: {
  bundle: () => CaBundle | undefined;
  nowMs: () => number;
  /** Certificates of a user that begin before this are no longer good. */
  revokedBefore?: (user: string) => number | undefined;
}): RequestAuthenticator {
  return {
    name: 'x509',
    authenticate: (x) => {
      const bundle = deps.bundle();
      if (x.connection.certificates.length === 0 || bundle === undefined) return undefined;
      let kept = x.connection.verdict;
      if (kept?.bundle !== bundle) {
        kept = { bundle, value: judge(x.connection, bundle) };
        x.connection.verdict = kept;
      }
      const verdict = kept.value as Verdict;
      if ('refused' in verdict) throw new AuthenticationError(verdict.refused);
      const now = deps.nowMs();
      if (now < verdict.validity.notBeforeMs || now > verdict.validity.notAfterMs) {
        throw new AuthenticationError('x509: certificate has expired or is not yet valid');
      }
      const revokedMs = deps.revokedBefore?.(verdict.user.name);
      if (revokedMs !== undefined && verdict.validity.notBeforeMs < revokedMs)
        throw new AuthenticationError(
          `x509: certificates of ${verdict.user.name} from before ${new Date(revokedMs).toISOString()} are revoked`,
        );
      return verdict.user;
    },
  };
}

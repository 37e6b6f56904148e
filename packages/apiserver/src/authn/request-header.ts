import type { UserInfo } from '../contract.ts';
import { type Exchange, header, headerValues } from '../server/exchange.ts';
import type { CaBundle } from '../server/tls-files.ts';
import type { RequestAuthenticator } from './authenticator.ts';
import { readSubject } from './certificate-subject.ts';
import { type Validity, verifyClientChain } from './client-chain.ts';

const extraPrefix = 'x-remote-extra-';

/** Values of all headers that begin with `prefix`, by the rest of their (percent-decoded, lower-case) names. */
export function extraHeaders(x: Exchange, prefix: string): Record<string, string[]> {
  const extra: Record<string, string[]> = {};
  for (const name of Object.keys(x.request.headers)) {
    if (!name.startsWith(prefix)) continue;
    const key = name.slice(prefix.length);
    let decoded = key;
    try {
      decoded = decodeURIComponent(key);
    } catch {
      // Upstream takes what isn't valid percent-encoding literally.
    }
    extra[decoded] = [...headerValues(x.request, name)];
  }
  return extra;
}

/**
 * A front proxy that says for whom it speaks: X-Remote-User, -Group, -Uid and -Extra-…, believed only over a connection with a
 * certificate from the request header CA and, where names are given, one of these as CN. The chain is verified once for a
 * connection and bundle, its dates count for every request.
 */
export function createRequestHeaderAuthenticator(deps: {
  bundle: () => CaBundle | undefined;
  allowedNames: readonly string[];
  nowMs: () => number;
}): RequestAuthenticator {
  const trusted = (x: Exchange, bundle: CaBundle): boolean => {
    const [leaf, ...intermediates] = x.connection.certificates;
    if (leaf === undefined) return false;
    let kept = x.connection.frontProxyVerdict;
    if (kept?.bundle !== bundle) {
      kept = { bundle, value: verifyClientChain(leaf, intermediates, bundle.certificates) };
      x.connection.frontProxyVerdict = kept;
    }
    const validity = kept.value as Validity | undefined;
    const now = deps.nowMs();
    if (validity === undefined || now < validity.notBeforeMs || now > validity.notAfterMs) return false;
    return deps.allowedNames.length === 0 || deps.allowedNames.includes(readSubject(leaf.raw).commonName);
  };
  return {
    name: 'request-header',
    authenticate: (x): UserInfo | undefined => {
      const name = header(x.request, 'x-remote-user');
      const bundle = deps.bundle();
      if (name === '' || bundle === undefined || !trusted(x, bundle)) return undefined;
      const uid = header(x.request, 'x-remote-uid');
      return {
        name,
        groups: headerValues(x.request, 'x-remote-group'),
        ...(uid === '' ? {} : { uid }),
        extra: extraHeaders(x, extraPrefix),
      };
    },
  };
}

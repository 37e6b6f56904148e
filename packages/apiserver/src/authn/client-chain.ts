import type { X509Certificate } from 'node:crypto';

/** A verified chain holds between these times (milliseconds since the epoch). */
export interface Validity {
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

const clientAuth = '1.3.6.1.5.5.7.3.2';
const anyUsage = '2.5.29.37.0';
const maximumDepth = 5;

/** Node calls the extended key usages `keyUsage`; absent ones allow everything. */
const allowsClientAuth = (c: X509Certificate): boolean => {
  const usages = c.keyUsage as readonly string[] | undefined;
  return usages === undefined || usages.length === 0 || usages.includes(clientAuth) || usages.includes(anyUsage);
};

const validityOf = (c: X509Certificate): Validity => ({ notBeforeMs: Date.parse(c.validFrom), notAfterMs: Date.parse(c.validTo) });
const intersect = (a: Validity, b: Validity): Validity => ({
  notBeforeMs: Math.max(a.notBeforeMs, b.notBeforeMs),
  notAfterMs: Math.min(a.notAfterMs, b.notAfterMs),
});
const issued = (issuer: X509Certificate, subject: X509Certificate): boolean =>
  subject.checkIssued(issuer) && subject.verify(issuer.publicKey);

/**
 * Signatures from `leaf` over any of `intermediates` to one of `roots`, for client authentication. Dates are not judged but
 * returned, so that the result can be kept for the connection and the clock asked for each request. undefined: no chain.
 */
export function verifyClientChain(
  leaf: X509Certificate,
  intermediates: readonly X509Certificate[],
  roots: readonly X509Certificate[],
): Validity | undefined {
  if (!allowsClientAuth(leaf)) return undefined;
  const walk = (certificate: X509Certificate, validity: Validity, depth: number): Validity | undefined => {
    for (const root of roots) {
      if (root.fingerprint256 === certificate.fingerprint256) return validity;
      if (root.ca && issued(root, certificate)) return intersect(validity, validityOf(root));
    }
    if (depth >= maximumDepth) return undefined;
    for (const next of intermediates) {
      if (!next.ca || !allowsClientAuth(next) || next.fingerprint256 === certificate.fingerprint256 || !issued(next, certificate)) continue;
      const found = walk(next, intersect(validity, validityOf(next)), depth + 1);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  return walk(leaf, validityOf(leaf), 0);
}

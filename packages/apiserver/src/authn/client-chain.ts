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

interface Vouched {
  readonly certificate: X509Certificate;
  /** Of the chain down to it. */
  readonly validity: Validity;
}

/**
 * Signatures from `leaf` over any of `intermediates` to one of `roots`, for client authentication. Dates are not judged but
 * returned, so that the result can be kept for the connection and the clock asked for each request. undefined: no chain.
 *
 * Anybody may send certificates, so the search goes down from the roots: only keys that something trusted vouches for check
 * signatures, and each certificate is accepted once. The work grows with the square of what was sent, at worst.
 */
export function verifyClientChain(
  leaf: X509Certificate,
  intermediates: readonly X509Certificate[],
  roots: readonly X509Certificate[],
): Validity | undefined {
  if (!allowsClientAuth(leaf)) return undefined;
  const own = validityOf(leaf);
  if (roots.some((root) => root.fingerprint256 === leaf.fingerprint256)) return own;
  let vouched: readonly Vouched[] = roots.filter((root) => root.ca).map((root) => ({ certificate: root, validity: validityOf(root) }));
  let open = intermediates.filter((c) => c.ca && allowsClientAuth(c));
  for (let depth = 0; depth <= maximumDepth; depth++) {
    const issuer = vouched.find((v) => issued(v.certificate, leaf));
    if (issuer !== undefined) return intersect(own, issuer.validity);
    const next: Vouched[] = [];
    const left: X509Certificate[] = [];
    for (const certificate of open) {
      const above = vouched.find((v) => issued(v.certificate, certificate));
      if (above === undefined) left.push(certificate);
      else next.push({ certificate, validity: intersect(validityOf(certificate), above.validity) });
    }
    if (next.length === 0) return undefined;
    vouched = next;
    open = left;
  }
  return undefined;
}

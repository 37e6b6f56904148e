import type { CertificateSigningRequest } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';

export type RequestView = DeepReadonly<CertificateSigningRequest>;

const hasCondition = (r: RequestView, type: string): boolean => (r.status?.conditions ?? []).some((c) => c.type === type);
export const isApproved = (r: RequestView): boolean => hasCondition(r, 'Approved');
export const isDenied = (r: RequestView): boolean => hasCondition(r, 'Denied');
export const hasFailed = (r: RequestView): boolean => hasCondition(r, 'Failed');
export const isIssued = (r: RequestView): boolean => Boolean(r.status?.certificate);

const hourMs = 3_600_000;
const decidedKeptMs = hourMs;
const pendingKeptMs = 24 * hourMs;

function latest(r: RequestView, type: string): number {
  const times = (r.status?.conditions ?? [])
    .filter((c) => c.type === type)
    .map((c) => Date.parse(c.lastUpdateTime || r.metadata?.creationTimestamp || ''));
  return times.length === 0 ? Number.NaN : Math.max(...times);
}

/** When a request is of no more use and may be deleted; milliseconds since the epoch. */
export function cleanUpAtMs(r: RequestView): number {
  const created = Date.parse(r.metadata?.creationTimestamp ?? '');
  const candidates: number[] = [];
  if (isIssued(r) && isApproved(r)) candidates.push(latest(r, 'Approved') + decidedKeptMs);
  if (isDenied(r)) candidates.push(latest(r, 'Denied') + decidedKeptMs);
  if (hasFailed(r)) candidates.push(latest(r, 'Failed') + decidedKeptMs);
  // Approved without a certificate: its signer may not exist; it is kept no longer than a pending one.
  return candidates.length > 0 ? Math.min(...candidates) : created + pendingKeptMs;
}

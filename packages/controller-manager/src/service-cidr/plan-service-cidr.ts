import type { IPAddress, ServiceCIDR } from '@skiff/api';
import { type CIDRValue, type DeepReadonly, parseCIDR, parseIP } from '@skiff/apimachinery';

export const serviceCIDRFinalizer = 'networking.k8s.io/service-cidr-finalizer';
/** Apiservers that have not heard of a deletion may still give out an address of the range: seen at the latest after this. */
export const deletionGraceMs = 10_000;

type Range = DeepReadonly<ServiceCIDR>;
const rangesOf = (c: Range): CIDRValue[] => (c.spec?.cidrs ?? []).flatMap((text) => parseCIDR(text) ?? []);

const bitsOf = (bytes: readonly number[]): string => bytes.map((byte) => byte.toString(2).padStart(8, '0')).join('');

function covers(outer: CIDRValue, inner: { readonly family: 4 | 6; readonly bytes: readonly number[] }, prefixLength: number): boolean {
  if (outer.network.family !== inner.family || outer.prefixLength > prefixLength) return false;
  return bitsOf(inner.bytes).startsWith(bitsOf(outer.network.bytes).slice(0, outer.prefixLength));
}

/** Whether a range can go: every address that Services have in it lies in another one that stays. */
export function canGo(range: Range, all: readonly Range[], addresses: readonly DeepReadonly<IPAddress>[]): boolean {
  const staying = all
    .filter((c) => c.metadata?.name !== range.metadata?.name && c.metadata?.deletionTimestamp === undefined)
    .flatMap(rangesOf);
  const alone = rangesOf(range).filter((own) => !staying.some((other) => covers(other, own.network, own.prefixLength)));
  return !addresses.some((address) => {
    const ip = parseIP(address.metadata?.name ?? '');
    if (ip === undefined) return false;
    const width = ip.family === 4 ? 32 : 128;
    return alone.some((own) => covers(own, ip, width)) && !staying.some((other) => covers(other, ip, width));
  });
}

export interface Readiness {
  readonly status: 'True' | 'False';
  readonly reason: string;
  readonly message: string;
}
export const isReady: Readiness = { status: 'True', reason: '', message: 'Kubernetes Service CIDR is ready' };
export const isHeld: Readiness = {
  status: 'False',
  reason: 'Terminating',
  message: 'There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR',
};

/** What its conditions become; undefined: they say so already. */
export function readinessConditions(
  range: Range,
  wanted: Readiness,
  now: string,
): NonNullable<NonNullable<ServiceCIDR['status']>['conditions']> | undefined {
  const had = range.status?.conditions ?? [];
  const old = had.find((c) => c.type === 'Ready');
  if (old?.status === wanted.status && old.reason === wanted.reason) return undefined;
  const lastTransitionTime = old?.status === wanted.status ? old.lastTransitionTime : now;
  return [...had.filter((c) => c.type !== 'Ready').map((c) => ({ ...c })), { type: 'Ready', ...wanted, lastTransitionTime }];
}

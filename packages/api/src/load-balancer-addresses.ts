interface Ingress {
  readonly ip?: string;
  readonly hostname?: string;
}

/** Addresses (or, where there is none, host names) of a load balancer, sorted, each once. */
export const loadBalancerAddresses = (ingress: readonly Ingress[] | undefined): string =>
  [...new Set((ingress ?? []).map((i) => i.ip || i.hostname || '').filter((a) => a !== ''))].sort().join(',');

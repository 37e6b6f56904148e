import type { PodSnapshot } from '../pod/pod-snapshot.ts';

const maxLength = 63;

/** The pod's host name and domain. Throws when setHostnameAsFQDN makes it too long. */
export function computeHostname(pod: PodSnapshot, clusterDomain: string): { hostname: string; domain: string } {
  const { spec, metadata } = pod;
  if (spec.hostnameOverride !== undefined && spec.hostnameOverride !== '') return { hostname: spec.hostnameOverride, domain: '' };
  const wanted = spec.hostname === undefined || spec.hostname === '' ? metadata.name : spec.hostname;
  const hostname = wanted.length <= maxLength ? wanted : wanted.slice(0, maxLength).replace(/[-.]+$/, '');
  const domain =
    spec.subdomain === undefined || spec.subdomain === '' ? '' : `${spec.subdomain}.${metadata.namespace}.svc.${clusterDomain}`;
  return { hostname, domain };
}

/** What the kernel is told: the FQDN where the pod asks for it. */
export function kernelHostname(pod: PodSnapshot, names: { hostname: string; domain: string }): string {
  if (pod.spec.setHostnameAsFQDN !== true || names.domain === '') return names.hostname;
  const full = `${names.hostname}.${names.domain}`;
  if (full.length > maxLength) {
    throw new Error(
      `Failed to construct FQDN from Pod hostname and cluster domain, FQDN ${full} is too long (${maxLength} characters is the max, ${full.length} characters requested)`,
    );
  }
  return full;
}

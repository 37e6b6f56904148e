import { type DeepReadonly, warningsForCIDR, warningsForIP } from '@skiff/apimachinery';
import type { Service } from '../../../generated/types/core-v1.ts';
import { specOf } from './service-fields.ts';
import { topologyAwareHints } from './validate-service.ts';

export function serviceWarnings(service: DeepReadonly<Service>): string[] {
  const spec = specOf(service);
  const headless = spec.type === 'ClusterIP' && spec.clusterIP === 'None';
  const external = spec.type === 'ExternalName';
  const externalIPs = spec.externalIPs ?? [];
  const warnings: string[] = [];
  const warn = (applies: boolean, text: string): void => {
    if (applies) warnings.push(text);
  };
  warn(
    service.metadata?.annotations?.[topologyAwareHints] !== undefined,
    `annotation ${topologyAwareHints} is deprecated, please use service.kubernetes.io/topology-mode instead`,
  );
  if (spec.clusterIP && spec.clusterIP !== 'None') {
    warnings.push(...(spec.clusterIPs ?? []).flatMap((ip, i) => warningsForIP(ip, `spec.clusterIPs[${i}]`)));
  }
  warn(headless && Boolean(spec.loadBalancerIP), 'spec.loadBalancerIP is ignored for headless services');
  warn(headless && externalIPs.length > 0, 'spec.externalIPs is ignored for headless services');
  warn(headless && spec.sessionAffinity !== 'None', 'spec.SessionAffinity is ignored for headless services');
  warnings.push(...externalIPs.flatMap((ip, i) => warningsForIP(ip, `spec.externalIPs[${i}]`)));
  warn(
    externalIPs.length > 0 && !headless && !external,
    'spec.externalIPs is deprecated and may no longer be implemented in some clusters',
  );
  if (spec.loadBalancerIP) warnings.push(...warningsForIP(spec.loadBalancerIP, 'spec.loadBalancerIP'));
  warnings.push(...(spec.loadBalancerSourceRanges ?? []).flatMap((r, i) => warningsForCIDR(r, `spec.loadBalancerSourceRanges[${i}]`)));
  warn(external && externalIPs.length > 0, 'spec.externalIPs is ignored when spec.type is "ExternalName"');
  warn(!external && Boolean(spec.externalName), 'spec.externalName is ignored when spec.type is not "ExternalName"');
  warn(spec.trafficDistribution === 'PreferClose', 'spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"');
  return warnings;
}

import { validateClusterIPs } from '@skiff/api';
import { type DeepReadonly, FieldErrors, invalid, type KubeObject } from '@skiff/apimachinery';
import { familyOf, type IPFamily } from './ip-range.ts';

export interface ServicePort {
  name?: string;
  port: number;
  protocol?: string;
  nodePort?: number;
}
export interface ServiceSpec {
  type?: string;
  clusterIP?: string;
  clusterIPs?: string[];
  ipFamilies?: string[];
  ipFamilyPolicy?: string;
  selector?: Record<string, string>;
  ports?: ServicePort[];
  healthCheckNodePort?: number;
  allocateLoadBalancerNodePorts?: boolean;
  externalTrafficPolicy?: string;
}
export interface Service extends KubeObject {
  spec?: ServiceSpec;
}
type Spec = DeepReadonly<ServiceSpec>;

export const headless = 'None';
export const needsClusterIP = (s: Spec): boolean => s.type !== 'ExternalName';
export const needsNodePort = (s: Spec): boolean => s.type === 'NodePort' || s.type === 'LoadBalancer';
export const needsHealthCheckPort = (s: Spec): boolean => s.type === 'LoadBalancer' && s.externalTrafficPolicy === 'Local';
export const allocatesNodePorts = (s: Spec): boolean =>
  s.type === 'NodePort' || (s.type === 'LoadBalancer' && s.allocateLoadBalancerNodePorts !== false);
export const nodePortsOf = (s: Spec): number[] => (s.ports ?? []).flatMap((p) => (p.nodePort ? [p.nodePort] : []));

const same = (a: readonly string[] | undefined, b: readonly string[] | undefined): boolean =>
  JSON.stringify(a ?? []) === JSON.stringify(b ?? []);

/** clusterIP is the first of clusterIPs, whichever of the two the client set or cleared. */
export function syncClusterIPs(spec: ServiceSpec, old: Spec | undefined): void {
  const ip = spec.clusterIP ?? '';
  const ips = spec.clusterIPs ?? [];
  if (old === undefined) {
    if (ip !== '' && ips.length === 0) spec.clusterIPs = [ip];
    return;
  }
  const oldIp = old.clusterIP ?? '';
  if ((old.clusterIPs ?? []).length > 0 && ips.length === 0 && oldIp === ip) spec.clusterIPs = [...(old.clusterIPs ?? [])];
  if (oldIp === ip || !same(spec.clusterIPs, old.clusterIPs)) return;
  if (oldIp !== '' && ip === '') delete spec.clusterIPs;
  else spec.clusterIPs = [ip];
}

/** What the server had given out stays when the client leaves it out. */
export function keepAllocated(spec: ServiceSpec, old: Spec): void {
  if (needsClusterIP(old) && needsClusterIP(spec)) {
    if (!spec.clusterIP && old.clusterIP) spec.clusterIP = old.clusterIP;
    if ((spec.clusterIPs ?? []).length === 0 && (old.clusterIPs ?? []).length > 0) spec.clusterIPs = [...(old.clusterIPs ?? [])];
  }
  if (needsNodePort(old) && needsNodePort(spec)) {
    const kept = new Set(nodePortsOf(spec));
    const used = new Set(nodePortsOf(old).filter((p) => kept.has(p)));
    const before = new Map((old.ports ?? []).map((p) => [p.name ?? '', p.nodePort ?? 0]));
    for (const port of spec.ports ?? []) {
      const value = before.get(port.name ?? '') ?? 0;
      if (!port.nodePort && value !== 0 && !used.has(value)) port.nodePort = value;
    }
  }
  if (needsHealthCheckPort(old) && needsHealthCheckPort(spec) && !spec.healthCheckNodePort && old.healthCheckNodePort) {
    spec.healthCheckNodePort = old.healthCheckNodePort;
  }
}

/** A dual-stack-if-possible Service whose addresses stay as they are is left alone. */
export function keepsDualStack(spec: Spec, old: Spec | undefined): boolean {
  return (
    old !== undefined &&
    spec.ipFamilyPolicy === 'PreferDualStack' &&
    old.type === spec.type &&
    needsClusterIP(spec) &&
    (old.ipFamilyPolicy === undefined || old.ipFamilyPolicy === 'PreferDualStack') &&
    same(old.clusterIPs, spec.clusterIPs) &&
    same(old.ipFamilies, spec.ipFamilies)
  );
}

/** Fills in ipFamilyPolicy and ipFamilies from what is asked and configured. Throws Invalid in upstream's words. */
export function initIPFamilies(service: Service, old: Spec | undefined, families: readonly IPFamily[]): void {
  const spec = service.spec ?? {};
  if (!needsClusterIP(spec) || keepsDualStack(spec, old)) return;
  const selectorless = spec.clusterIP === headless && Object.keys(spec.selector ?? {}).length === 0;
  spec.ipFamilyPolicy ??= old?.ipFamilyPolicy ?? (selectorless ? 'RequireDualStack' : 'SingleStack');
  const errors = new FieldErrors();
  const check = (): void => {
    if (!errors.empty) throw invalid({ group: '', kind: 'Service' }, service.metadata?.name ?? '', errors.list);
  };
  const single = spec.ipFamilyPolicy === 'SingleStack';
  // Before anything is taken: the fields must agree with each other.
  validateClusterIPs(spec, errors, old);
  check();
  if (old !== undefined) shrink(spec, old, errors);
  const ips = spec.clusterIPs ?? [];
  if (single && ips.length === 2) {
    errors.invalid(
      'spec.ipFamilyPolicy',
      spec.ipFamilyPolicy,
      "must be 'RequireDualStack' or 'PreferDualStack' when multiple cluster IPs are specified",
    );
  }
  if (single && (spec.ipFamilies ?? []).length === 2) {
    errors.invalid(
      'spec.ipFamilyPolicy',
      spec.ipFamilyPolicy,
      "must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified",
    );
  }
  for (const [i, ip] of ips.entries()) {
    if (ip === headless) break;
    if (i < (spec.ipFamilies ?? []).length) continue;
    const family = familyOf(ip);
    if (families.includes(family)) spec.ipFamilies = [...(spec.ipFamilies ?? []), family];
    else errors.invalid(`spec.clusterIPs[${i}]`, ips, `${family} is not configured on this cluster`);
  }
  check();
  const other = (family: string | undefined): IPFamily => (family === 'IPv4' ? 'IPv6' : 'IPv4');
  const primary = families[0] ?? 'IPv4';
  if (selectorless) {
    if ((spec.ipFamilies ?? []).length === 0) spec.ipFamilies = [primary];
    if ((spec.ipFamilies ?? []).length < 2 && !single) spec.ipFamilies = [...(spec.ipFamilies ?? []), other(spec.ipFamilies?.[0])];
    return;
  }
  if (spec.ipFamilyPolicy === 'RequireDualStack' && families.length < 2) {
    errors.invalid('spec.ipFamilyPolicy', spec.ipFamilyPolicy, 'this cluster is not configured for dual-stack services');
  }
  for (const [i, family] of (spec.ipFamilies ?? []).entries()) {
    if (!families.includes(family as IPFamily)) errors.invalid(`spec.ipFamilies[${i}]`, family, 'not configured on this cluster');
  }
  check();
  if ((spec.ipFamilies ?? []).length === 0) spec.ipFamilies = [primary];
  if (!single && spec.ipFamilies?.length === 1 && families.length === 2) spec.ipFamilies.push(other(spec.ipFamilies[0]));
}

/** Going to single stack gives the second address up; otherwise addresses are not given up silently. */
function shrink(spec: ServiceSpec, old: Spec, errors: FieldErrors): void {
  if (spec.ipFamilyPolicy === 'SingleStack') {
    if (same(old.clusterIPs, spec.clusterIPs) && (spec.clusterIPs ?? []).length > 1) spec.clusterIPs = (spec.clusterIPs ?? []).slice(0, 1);
    if (same(old.ipFamilies, spec.ipFamilies) && (spec.ipFamilies ?? []).length > 1) spec.ipFamilies = (spec.ipFamilies ?? []).slice(0, 1);
    return;
  }
  const reduced = (now: readonly string[] | undefined, before: readonly string[] | undefined): boolean =>
    (now ?? []).length === 1 && (before ?? []).length === 2 && now?.[0] === before?.[0];
  if (reduced(spec.clusterIPs, old.clusterIPs)) {
    errors.invalid('spec.ipFamilyPolicy', spec.ipFamilyPolicy, "must be 'SingleStack' to release the secondary cluster IP");
  }
  if (reduced(spec.ipFamilies, old.ipFamilies)) {
    errors.invalid('spec.ipFamilyPolicy', spec.ipFamilyPolicy, "must be 'SingleStack' to release the secondary IP family");
  }
}

import {
  type DeepReadonly,
  type FieldErrors,
  isDNS1123Subdomain,
  isValidPortNum,
  parseIP,
  validateLabels,
  validateLegacyCIDR,
  validateLegacyIP,
} from '@skiff/apimachinery';
import type { Service, ServicePort } from '../../../generated/types/core-v1.ts';
import { goValue } from '../../../go-value.ts';
import { dnsLabel, dnsSubdomain, invalidEach, passes, qualifiedName, requireOneOf } from '../../../validation.ts';
import { validateEndpointIP } from '../endpoint-ip.ts';
import { validatePortNumOrName } from '../pod/validate-probes.ts';
import {
  isExternallyAccessible,
  isHeadless,
  isLoadBalancer,
  needsHealthCheckNodePort,
  needsNodePort,
  type Spec,
  specOf,
} from './service-fields.ts';
import { validateClusterIPs, validateClusterIPsUpdate, validateIPFamiliesUpdate } from './validate-cluster-ips.ts';

const topologyMode = 'service.kubernetes.io/topology-mode';
export const topologyAwareHints = 'service.kubernetes.io/topology-aware-hints';
const sourceRangesAnnotation = 'service.beta.kubernetes.io/load-balancer-source-ranges';
const protocols = ['SCTP', 'TCP', 'UDP'];
const onlyLoadBalancer = "may only be used when `type` is 'LoadBalancer'";

/** `old`: what is stored, whose addresses stay acceptable. */
export function validateService(service: DeepReadonly<Service>, errors: FieldErrors, old?: DeepReadonly<Service>): void {
  const spec = specOf(service);
  const annotations = service.metadata?.annotations ?? {};
  const [mode, hints] = [annotations[topologyMode], annotations[topologyAwareHints]];
  if (mode !== undefined && hints !== undefined && mode !== hints) {
    errors.invalid(`metadata.annotations[${topologyMode}]`, mode, `must match annotations[${topologyAwareHints}] when both are specified`);
  }
  const ports = spec.ports ?? [];
  if (ports.length === 0 && !isHeadless(spec) && spec.type !== 'ExternalName') errors.required('spec.ports');
  validateType(spec, errors);
  validatePorts(ports, errors);
  validateLabels(spec.selector, 'spec.selector', errors);
  validateAffinity(spec, errors);
  validateClusterIPs(spec, errors, old?.spec);
  for (const [i, ip] of (spec.externalIPs ?? []).entries()) {
    const at = `spec.externalIPs[${i}]`;
    if (passes(errors, () => validateLegacyIP(ip, at, errors, old?.spec?.externalIPs ?? []))) validateEndpointIP(ip, at, errors);
  }
  requireOneOf(errors, 'spec.type', spec.type, ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort']);
  validatePortNumbers(spec, errors);
  validateSourceRanges(service, errors, old);
  if (spec.allocateLoadBalancerNodePorts !== undefined && !isLoadBalancer(spec)) {
    errors.forbidden('spec.allocateLoadBalancerNodePorts', onlyLoadBalancer);
  }
  if (isLoadBalancer(spec) && spec.allocateLoadBalancerNodePorts === undefined) errors.required('allocateLoadBalancerNodePorts');
  validateLoadBalancerClass(spec, errors);
  validateTraffic(spec, errors);
}

export function validateServiceUpdate(service: DeepReadonly<Service>, old: DeepReadonly<Service>, errors: FieldErrors): void {
  const [spec, before] = [specOf(service), specOf(old)];
  validateClusterIPsUpdate(spec, before, errors);
  validateIPFamiliesUpdate(spec, before, errors);
  if (isLoadBalancer(spec) && isLoadBalancer(before) && spec.loadBalancerClass !== before.loadBalancerClass) {
    errors.invalid('spec.loadBalancerClass', spec.loadBalancerClass, 'may not change once set');
  }
  validateLoadBalancerClass(spec, errors);
  const bothChecked = needsHealthCheckNodePort(spec) && needsHealthCheckNodePort(before);
  if (bothChecked && (spec.healthCheckNodePort ?? 0) !== (before.healthCheckNodePort ?? 0)) {
    errors.forbidden('spec.healthCheckNodePort', 'field is immutable');
  }
  validateService(service, errors, old);
}

function validateType(spec: Spec, errors: FieldErrors): void {
  if (needsNodePort(spec)) {
    if (isHeadless(spec)) errors.invalid('spec.clusterIPs[0]', 'None', `may not be set to 'None' for ${spec.type ?? ''} services`);
    return;
  }
  if (spec.type !== 'ExternalName') return;
  const unused = 'may not be set for ExternalName services';
  if ((spec.clusterIPs ?? []).length > 0) errors.forbidden('spec.clusterIPs', unused);
  if ((spec.ipFamilies ?? []).length > 0) errors.forbidden('spec.ipFamilies', unused);
  if (spec.ipFamilyPolicy !== undefined) errors.forbidden('spec.ipFamilyPolicy', unused);
  const name = (spec.externalName ?? '').replace(/\.$/, '');
  if (name === '') errors.required('spec.externalName');
  else dnsSubdomain(errors, 'spec.externalName', name);
}

function validatePorts(ports: readonly DeepReadonly<ServicePort>[], errors: FieldErrors): void {
  const names = new Set<string>();
  for (const [i, port] of ports.entries()) {
    const at = `spec.ports[${i}]`;
    if (port.name) {
      dnsLabel(errors, `${at}.name`, port.name);
      if (names.has(port.name)) errors.duplicate(`${at}.name`, port.name);
      names.add(port.name);
    } else if (ports.length > 1) errors.required(`${at}.name`);
    invalidEach(errors, `${at}.port`, port.port, isValidPortNum(port.port));
    requireOneOf(errors, `${at}.protocol`, port.protocol, protocols);
    validatePortNumOrName(port.targetPort, `${at}.targetPort`, errors);
    if (port.appProtocol !== undefined) qualifiedName(errors, `${at}.appProtocol`, port.appProtocol);
  }
}

/** Which (protocol, number) pairs there may be. */
function validatePortNumbers(spec: Spec, errors: FieldErrors): void {
  const ports = spec.ports ?? [];
  if (spec.type === 'ClusterIP') {
    for (const [i, port] of ports.entries()) {
      if (port.nodePort) errors.forbidden(`spec.ports[${i}].nodePort`, "may not be used when `type` is 'ClusterIP'");
    }
  }
  const nodePorts = new Set<string>();
  for (const [i, { nodePort, protocol }] of ports.entries()) {
    if (!nodePort) continue;
    const key = `${protocol ?? ''}/${nodePort}`;
    if (nodePorts.has(key)) errors.duplicate(`spec.ports[${i}].nodePort`, nodePort);
    nodePorts.add(key);
  }
  const numbers = new Set<string>();
  for (const [i, { port, protocol }] of ports.entries()) {
    const key = `${protocol ?? ''}/${port}`;
    if (numbers.has(key)) errors.duplicate(`spec.ports[${i}]`, goValue('io.k8s.api.core.v1.ServicePort', { protocol, port }));
    numbers.add(key);
  }
}

const maxAffinitySeconds = 86_400;

function validateAffinity(spec: Spec, errors: FieldErrors): void {
  requireOneOf(errors, 'spec.sessionAffinity', spec.sessionAffinity, ['ClientIP', 'None']);
  const path = 'spec.sessionAffinityConfig';
  const config = spec.sessionAffinityConfig;
  if (spec.sessionAffinity === 'None' && config !== undefined) errors.forbidden(path, 'must not be set when session affinity is None');
  if (spec.sessionAffinity !== 'ClientIP') return;
  const why = 'when session affinity type is ClientIP';
  const seconds = config?.clientIP?.timeoutSeconds;
  if (config === undefined) errors.required(path, why);
  else if (config.clientIP === undefined) errors.required(`${path}.clientIP`, why);
  else if (seconds === undefined) errors.required(`${path}.clientIP.timeoutSeconds`, why);
  else if (seconds <= 0 || seconds > maxAffinitySeconds) {
    errors.invalid(`${path}.clientIP.timeoutSeconds`, seconds, `must be greater than 0 and less than ${maxAffinitySeconds}`);
  }
}

/** The field, or in its absence the annotation from before the field. Blanks around an entry belong to neither. */
function validateSourceRanges(service: DeepReadonly<Service>, errors: FieldErrors, old: DeepReadonly<Service> | undefined): void {
  const spec = specOf(service);
  const ranges = spec.loadBalancerSourceRanges ?? [];
  if (ranges.length > 0) {
    const path = 'spec.LoadBalancerSourceRanges';
    if (!isLoadBalancer(spec)) errors.forbidden(path, onlyLoadBalancer);
    const stored = (old?.spec?.loadBalancerSourceRanges ?? []).map((r) => r.trim());
    for (const [i, range] of ranges.entries()) validateLegacyCIDR(range.trim(), `${path}[${i}]`, errors, stored);
    return;
  }
  const annotation = service.metadata?.annotations?.[sourceRangesAnnotation];
  if (annotation === undefined) return;
  const path = `metadata.annotations[${sourceRangesAnnotation}]`;
  if (!isLoadBalancer(spec)) errors.forbidden(path, onlyLoadBalancer);
  if (annotation.trim() === '' || annotation === old?.metadata?.annotations?.[sourceRangesAnnotation]) return;
  for (const range of annotation.split(',')) validateLegacyCIDR(range.trim(), path, errors);
}

function validateLoadBalancerClass(spec: Spec, errors: FieldErrors): void {
  if (spec.loadBalancerClass === undefined) return;
  if (isLoadBalancer(spec)) qualifiedName(errors, 'spec.loadBalancerClass', spec.loadBalancerClass);
  else errors.forbidden('spec.loadBalancerClass', onlyLoadBalancer);
}

function validateTraffic(spec: Spec, errors: FieldErrors): void {
  const external = spec.externalTrafficPolicy ?? '';
  const policies = ['Cluster', 'Local'];
  if (isExternallyAccessible(spec)) requireOneOf(errors, 'spec.externalTrafficPolicy', external, policies);
  else if (external !== '') errors.invalid('spec.externalTrafficPolicy', external, 'may only be set for externally-accessible services');
  const healthPort = spec.healthCheckNodePort ?? 0;
  const healthPath = 'spec.healthCheckNodePort';
  if (needsHealthCheckNodePort(spec)) {
    if (healthPort === 0) errors.required(healthPath);
    else invalidEach(errors, healthPath, healthPort, isValidPortNum(healthPort));
  } else if (healthPort !== 0) {
    errors.invalid(healthPath, healthPort, "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'");
  }
  const internal = spec.internalTrafficPolicy;
  if (internal === undefined) {
    if (needsNodePort(spec) || spec.type === 'ClusterIP') errors.required('spec.internalTrafficPolicy');
  } else if (!policies.includes(internal)) errors.notSupported('spec.internalTrafficPolicy', internal, policies);
  const distributions = ['PreferClose', 'PreferSameZone', 'PreferSameNode'];
  if (spec.trafficDistribution !== undefined && !distributions.includes(spec.trafficDistribution)) {
    errors.notSupported('spec.trafficDistribution', spec.trafficDistribution, distributions);
  }
}

export function validateServiceStatus(service: DeepReadonly<Service>, old: DeepReadonly<Service>, errors: FieldErrors): void {
  const ingresses = service.status?.loadBalancer?.ingress ?? [];
  const path = 'status.loadBalancer.ingress';
  if (!isLoadBalancer(specOf(service))) {
    if (ingresses.length > 0) errors.forbidden(path, "may only be used when `spec.type` is 'LoadBalancer'");
    return;
  }
  const stored = (old.status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => (ip ? [ip] : []));
  for (const [i, { ip = '', ipMode, hostname = '' }] of ingresses.entries()) {
    const at = `${path}[${i}]`;
    if (ip !== '') validateLegacyIP(ip, `${at}.ip`, errors, stored);
    if (ipMode === undefined) {
      if (ip !== '') errors.required(`${at}.ipMode`, 'must be specified when `ip` is set');
    } else if (ip === '') errors.forbidden(`${at}.ipMode`, 'may not be specified when `ip` is not set');
    else if (ipMode !== 'VIP' && ipMode !== 'Proxy') errors.notSupported(`${at}.ipMode`, ipMode, ['Proxy', 'VIP']);
    if (hostname === '') continue;
    invalidEach(errors, `${at}.hostname`, hostname, isDNS1123Subdomain(hostname));
    if (parseIP(hostname)) errors.invalid(`${at}.hostname`, hostname, 'must be a DNS name, not an IP address');
  }
}

import {
  type DeepReadonly,
  FieldErrors,
  isDNS1123Subdomain,
  isPathSegmentName,
  isValidPortName,
  isValidPortNum,
  isWildcardDNS1123Subdomain,
  nameIsDNSLabel,
  nameIsDNSSubdomain,
  parseIP,
  validateLegacyIP,
  warningsForIP,
} from '@skiff/apimachinery';
import type { HTTPIngressPath, Ingress, IngressBackend, IngressRule } from '../../generated/types/networking-v1.ts';
import type { TypedLocalObjectReference } from '../../generated/types/core-v1.ts';
import { dnsSubdomain, invalidEach, requireText } from '../../validation.ts';

type Read = DeepReadonly<Ingress>;

const classAnnotation = 'kubernetes.io/ingress.class';
const hostComplaints = (host: string): readonly string[] =>
  host.includes('*') ? isWildcardDNS1123Subdomain(host) : isDNS1123Subdomain(host);
const secretComplaints = (name: string | undefined): readonly string[] => (name ? nameIsDNSSubdomain(name, false) : []);

export function validateIngress(ingress: Read, errors: FieldErrors, old?: Read): void {
  const spec = ingress.spec ?? {};
  const rules = spec.rules ?? [];
  if (rules.length === 0 && spec.defaultBackend === undefined) {
    errors.invalid('spec', spec.rules ?? null, 'either `defaultBackend` or `rules` must be specified');
  }
  if (spec.defaultBackend) validateBackend(spec.defaultBackend, 'spec.defaultBackend', errors);
  const lenient = (old?.spec?.rules ?? []).some((rule) => {
    const found = new FieldErrors();
    if (rule.host?.includes('*')) validatePaths(rule, '', found);
    return !found.empty;
  });
  for (const [i, rule] of rules.entries()) validateRule(rule, `spec.rules[${i}]`, lenient, errors);
  validateTLS(ingress, errors, old);
  const name = spec.ingressClassName;
  if (name !== undefined) invalidEach(errors, 'spec.ingressClassName', name, nameIsDNSSubdomain(name, false));
  const annotation = ingress.metadata?.annotations?.[classAnnotation];
  if (old === undefined && annotation !== undefined && name !== undefined && annotation !== name) {
    errors.invalid(`annotations.${classAnnotation}`, annotation, 'must match `ingressClassName` when both are specified');
  }
}

function validateTLS(ingress: Read, errors: FieldErrors, old: Read | undefined): void {
  const lenient = (old?.spec?.tls ?? []).some(({ secretName }) => secretComplaints(secretName).length > 0);
  for (const [i, { hosts, secretName }] of (ingress.spec?.tls ?? []).entries()) {
    const at = `spec.tls[${i}]`;
    for (const [j, host] of (hosts ?? []).entries()) invalidEach(errors, `${at}.hosts[${j}]`, host, hostComplaints(host));
    if (!lenient) invalidEach(errors, `${at}.secretName`, secretName, secretComplaints(secretName));
  }
}

/** `lenient`: what is stored has a wildcard rule that today would be refused. */
function validateRule(rule: DeepReadonly<IngressRule>, path: string, lenient: boolean, errors: FieldErrors): void {
  const host = rule.host ?? '';
  if (host !== '') {
    if (parseIP(host)) errors.invalid(`${path}.host`, host, 'must be a DNS name, not an IP address');
    invalidEach(errors, `${path}.host`, host, hostComplaints(host));
  }
  if (!lenient || !host.includes('*')) validatePaths(rule, path, errors);
}

function validatePaths(rule: DeepReadonly<IngressRule>, path: string, errors: FieldErrors): void {
  if (rule.http === undefined) return;
  const paths = rule.http.paths ?? [];
  if (paths.length === 0) errors.required(`${path}.http.paths`);
  for (const [i, each] of paths.entries()) validatePath(each, `${path}.http.paths[${i}]`, errors);
}

const badSequences = ['//', '/./', '/../', '%2f', '%2F'];
const badSuffixes = ['/..', '/.'];

function validatePath(each: DeepReadonly<HTTPIngressPath>, at: string, errors: FieldErrors): void {
  const type = each.pathType;
  if (!type) {
    if (type === '') {
      errors.notSupported(`${at}.pathType`, type, ['Exact', 'ImplementationSpecific', 'Prefix']);
      validateBackend(each.backend, `${at}.backend`, errors);
    } else errors.required(`${at}.pathType`, 'pathType must be specified');
    return;
  }
  const path = each.path ?? '';
  const absolute = (): void => {
    if (!path.startsWith('/')) errors.invalid(`${at}.path`, path, 'must be an absolute path');
  };
  if (type === 'Exact' || type === 'Prefix') {
    absolute();
    for (const bad of badSequences) if (path.includes(bad)) errors.invalid(`${at}.path`, path, `must not contain '${bad}'`);
    for (const bad of badSuffixes) if (path.endsWith(bad)) errors.invalid(`${at}.path`, path, `cannot end with '${bad}'`);
  } else if (type === 'ImplementationSpecific') {
    if (path !== '') absolute();
  } else errors.notSupported(`${at}.pathType`, type, ['Exact', 'ImplementationSpecific', 'Prefix']);
  validateBackend(each.backend, `${at}.backend`, errors);
}

function validateBackend(backend: DeepReadonly<IngressBackend>, path: string, errors: FieldErrors): void {
  const { resource, service } = backend;
  if (resource && service) return errors.invalid(path, '', 'cannot set both resource and service backends');
  if (resource) return validateReference(resource, `${path}.resource`, errors);
  if (!service) return errors.invalid(path, '', 'resource or service backend is required');
  const at = `${path}.service`;
  if (requireText(errors, `${at}.name`, service.name)) invalidEach(errors, `${at}.name`, service.name, nameIsDNSLabel(service.name, false));
  const { name = '', number = 0 } = service.port ?? {};
  if (name !== '' && number !== 0) errors.invalid(path, '', 'cannot set both port name & port number');
  else if (name !== '') invalidEach(errors, `${at}.port.name`, name, isValidPortName(name));
  else if (number !== 0) invalidEach(errors, `${at}.port.number`, number, isValidPortNum(number));
  else errors.required(path, 'port name or number is required');
}

/** A reference to any kind: parts of a path of the API. */
export function validateReference(
  ref: DeepReadonly<Omit<TypedLocalObjectReference, 'apiGroup'>> & { readonly apiGroup?: string | null },
  path: string,
  errors: FieldErrors,
): void {
  if (typeof ref.apiGroup === 'string') dnsSubdomain(errors, `${path}.apiGroup`, ref.apiGroup);
  for (const field of ['kind', 'name'] as const) {
    const text = ref[field];
    if (requireText(errors, `${path}.${field}`, text)) invalidEach(errors, `${path}.${field}`, text, isPathSegmentName(text, false));
  }
}

export function validateIngressStatus(ingress: Read, old: Read, errors: FieldErrors): void {
  const stored = (old.status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => (ip ? [ip] : []));
  for (const [i, { ip, hostname }] of (ingress.status?.loadBalancer?.ingress ?? []).entries()) {
    const at = `status.loadBalancer.ingress[${i}]`;
    if (ip) validateLegacyIP(ip, `${at}.ip`, errors, stored);
    if (!hostname) continue;
    dnsSubdomain(errors, `${at}.hostname`, hostname);
    if (parseIP(hostname)) errors.invalid(`${at}.hostname`, hostname, 'must be a DNS name, not an IP address');
  }
}

export const ingressStatusWarnings = (ingress: Read): string[] =>
  (ingress.status?.loadBalancer?.ingress ?? []).flatMap(({ ip }, i) => (ip ? warningsForIP(ip, `status.loadBalancer.ingress[${i}]`) : []));

export const ingressWarnings = (ingress: Read, old?: Read): string[] =>
  old === undefined && ingress.metadata?.annotations?.[classAnnotation] !== undefined && ingress.spec?.ingressClassName === undefined
    ? [`annotation "${classAnnotation}" is deprecated, please use 'spec.ingressClassName' instead`]
    : [];

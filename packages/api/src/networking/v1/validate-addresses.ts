/** IngressClass, IPAddress and ServiceCIDR. */
import {
  type DeepReadonly,
  FieldErrors,
  fieldImmutableError,
  isDNS1123Subdomain,
  isPathSegmentName,
  nameIsDNSLabel,
  parseCIDR,
  validateCIDR,
  validateIP,
} from '@skiff/apimachinery';
import type { IngressClass, IPAddress, ServiceCIDR } from '../../generated/types/networking-v1.ts';
import { goValue } from '../../go-value.ts';
import { domainPrefixedPath, immutable, invalidEach, requireText } from '../../validation.ts';
import { validateReference } from './validate-ingress.ts';

const maxControllerLength = 250;

export function validateIngressClass(ingressClass: DeepReadonly<IngressClass>, errors: FieldErrors): void {
  const { controller = '', parameters } = ingressClass.spec ?? {};
  if (controller.length > maxControllerLength) errors.tooLong('spec.controller', maxControllerLength);
  domainPrefixedPath(errors, 'spec.controller', controller);
  if (parameters === undefined) return;
  const path = 'spec.parameters';
  validateReference(parameters, path, errors);
  const { scope, namespace } = parameters;
  if (scope === undefined) errors.required(`${path}.scope`);
  else if (scope !== 'Cluster' && scope !== 'Namespace') errors.notSupported(`${path}.scope`, scope, ['Cluster', 'Namespace']);
  else if (scope === 'Namespace') {
    if (namespace === undefined) errors.required(`${path}.namespace`, "`parameters.scope` is set to 'Namespace'");
    else invalidEach(errors, `${path}.namespace`, namespace, nameIsDNSLabel(namespace, false));
  } else if (namespace !== undefined) errors.forbidden(`${path}.namespace`, "`parameters.scope` is set to 'Cluster'");
}

export function validateIngressClassUpdate(
  ingressClass: DeepReadonly<IngressClass>,
  old: DeepReadonly<IngressClass>,
  errors: FieldErrors,
): void {
  immutable(errors, 'spec.controller', ingressClass.spec?.controller ?? '', old.spec?.controller ?? '');
  validateIngressClass(ingressClass, errors);
}

/** The address itself, in canonical form. */
export function ipAddressName(name: string): readonly string[] {
  const errors = new FieldErrors();
  validateIP(name, '', errors);
  return errors.list.map((e) => e.body.slice(`Invalid value: ${JSON.stringify(name)}: `.length));
}

export function validateIPAddress(address: DeepReadonly<IPAddress>, errors: FieldErrors): void {
  const path = 'spec.parentRef';
  const parent = address.spec?.parentRef;
  if (parent === undefined) return errors.required(path);
  if (parent.group) invalidEach(errors, `${path}.group`, parent.group, isDNS1123Subdomain(parent.group));
  for (const field of ['resource', 'name', 'namespace'] as const) {
    const text = parent[field] ?? '';
    if (field === 'namespace' ? text !== '' : requireText(errors, `${path}.${field}`, text)) {
      invalidEach(errors, `${path}.${field}`, text, isPathSegmentName(text, false));
    }
  }
}

export function validateIPAddressUpdate(address: DeepReadonly<IPAddress>, old: DeepReadonly<IPAddress>, errors: FieldErrors): void {
  validateIPAddress(address, errors);
  const parent = address.spec?.parentRef;
  const shown = parent === undefined ? null : goValue('io.k8s.api.networking.v1.ParentReference', parent);
  immutable(errors, 'spec.parentRef', parent, old.spec?.parentRef, shown);
}

export function validateServiceCIDR(range: DeepReadonly<ServiceCIDR>, errors: FieldErrors): void {
  const path = 'spec.cidrs';
  const cidrs = range.spec?.cidrs ?? [];
  if (cidrs.length === 0) return errors.required(path, 'at least one CIDR required');
  if (cidrs.length > 2) return errors.invalid(path, { CIDRs: cidrs }, 'may only hold up to 2 values');
  for (const [i, cidr] of cidrs.entries()) validateCIDR(cidr, `${path}[${i}]`, errors);
  const [a, b] = cidrs.map((cidr) => parseCIDR(cidr)?.ip.family);
  if (a !== undefined && a === b) {
    errors.invalid(path, cidrs, 'may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64');
  }
}

/** A range of the other family may be added, once. */
export function validateServiceCIDRUpdate(range: DeepReadonly<ServiceCIDR>, old: DeepReadonly<ServiceCIDR>, errors: FieldErrors): void {
  const [cidrs, before] = [range.spec?.cidrs ?? [], old.spec?.cidrs ?? []];
  const grows = before.length === 1 && cidrs.length === 2;
  if (cidrs.length !== before.length && !grows) return errors.invalid('spec.cidrs', range.spec?.cidrs, fieldImmutableError);
  for (const [i, cidr] of before.entries()) {
    if (cidr !== cidrs[i]) errors.invalid(`spec.cidrs[${i}]`, cidrs[i], fieldImmutableError);
  }
  if (grows) validateServiceCIDR(range, errors);
}

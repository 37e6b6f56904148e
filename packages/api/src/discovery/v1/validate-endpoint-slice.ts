import {
  type DeepReadonly,
  FieldErrors,
  fieldImmutableError,
  isIPv6,
  isValidLabelValue,
  nameIsDNSSubdomain,
  validateIP,
  validateLegacyIP,
} from '@skiff/apimachinery';
import { validateEndpointIP } from '../../core/v1/endpoint-ip.ts';
import { validateFullyQualifiedDomainName } from '../../dns-name-validation.ts';
import type { Endpoint, EndpointHints, EndpointSlice } from '../../generated/types/discovery-v1.ts';
import { semanticEqual } from '../../semantic-equality.ts';
import { dnsLabel, invalidEach, passes, qualifiedName, requireOneOf } from '../../validation.ts';

const max = { addresses: 100, ports: 20_000, endpoints: 1000, hints: 8 };

function validatePorts(slice: DeepReadonly<EndpointSlice>, errors: FieldErrors): void {
  const ports = slice.ports ?? [];
  if (ports.length > max.ports) return errors.tooMany('ports', ports.length, max.ports);
  const names = new Set<string>();
  for (const [i, port] of ports.entries()) {
    const at = `ports[${i}]`;
    const name = port.name ?? '';
    if (name !== '') dnsLabel(errors, `${at}.name`, name);
    if (names.has(name)) errors.duplicate(`${at}.name`, name);
    names.add(name);
    if (port.protocol === undefined) errors.required(`${at}.protocol`);
    else if (!['SCTP', 'TCP', 'UDP'].includes(port.protocol)) {
      errors.notSupported(`${at}.protocol`, port.protocol, ['SCTP', 'TCP', 'UDP']);
    }
    if (port.appProtocol !== undefined) qualifiedName(errors, `${at}.appProtocol`, port.appProtocol);
  }
}

/** `path` is that of the list: a wrong family is told there. */
function validateAddress(address: string, o: { type: string; path: string; index: number }, errors: FieldErrors): void {
  const at = `${o.path}[${o.index}]`;
  if (o.type === 'FQDN') return validateFullyQualifiedDomainName(address, at, errors);
  if (o.type !== 'IPv4' && o.type !== 'IPv6') return;
  const check = o.type === 'IPv4' ? validateLegacyIP : validateIP;
  if (!passes(errors, () => check(address, at, errors))) return;
  if (isIPv6(address) !== (o.type === 'IPv6')) errors.invalid(o.path, address, `must be an ${o.type} address`);
  validateEndpointIP(address, at, errors);
}

function validateEndpoint(endpoint: DeepReadonly<Endpoint>, type: string, path: string, errors: FieldErrors): void {
  const addresses = endpoint.addresses ?? [];
  const addressPath = `${path}.addresses`;
  if (addresses.length === 0) errors.required(addressPath, 'must contain at least 1 address');
  else if (addresses.length > max.addresses) errors.tooMany(addressPath, addresses.length, max.addresses);
  for (const [index, address] of addresses.entries()) validateAddress(address, { type, path: addressPath, index }, errors);
  const { nodeName, hostname, hints } = endpoint;
  if (nodeName !== undefined) invalidEach(errors, `${path}.nodeName`, nodeName, nameIsDNSSubdomain(nodeName, false));
  if (hostname !== undefined) dnsLabel(errors, `${path}.hostname`, hostname);
  if (hints !== undefined) validateHints(hints, `${path}.hints`, errors);
}

function validateHints(hints: DeepReadonly<EndpointHints>, path: string, errors: FieldErrors): void {
  const nodeName = (name: string): readonly string[] => nameIsDNSSubdomain(name, false);
  for (const [field, check] of [
    ['forZones', isValidLabelValue],
    ['forNodes', nodeName],
  ] as const) {
    const list = hints[field] ?? [];
    if (list.length > max.hints) return errors.tooMany(`${path}.${field}`, list.length, max.hints);
    const names = new Set<string>();
    for (const [i, { name }] of list.entries()) {
      const at = `${path}.${field}[${i}].name`;
      if (names.has(name)) errors.duplicate(at, name);
      names.add(name);
      invalidEach(errors, at, name, check(name));
    }
  }
}

function validateEndpoints(slice: DeepReadonly<EndpointSlice>, errors: FieldErrors): void {
  const endpoints = slice.endpoints ?? [];
  if (endpoints.length > max.endpoints) return errors.tooMany('endpoints', endpoints.length, max.endpoints);
  for (const [i, endpoint] of endpoints.entries()) validateEndpoint(endpoint, slice.addressType, `endpoints[${i}]`, errors);
}

/** Endpoints that an update leaves as they are stay acceptable. */
export function validateEndpointSlice(slice: DeepReadonly<EndpointSlice>, errors: FieldErrors, old?: DeepReadonly<EndpointSlice>): void {
  requireOneOf(errors, 'addressType', slice.addressType, ['FQDN', 'IPv4', 'IPv6']);
  validatePorts(slice, errors);
  const found = new FieldErrors();
  validateEndpoints(slice, found);
  const same = (): boolean =>
    old !== undefined &&
    semanticEqual('io.k8s.api.discovery.v1.EndpointSlice', { endpoints: slice.endpoints }, { endpoints: old.endpoints });
  if (!found.empty && !same()) errors.list.push(...found.list);
  if (old && slice.addressType !== old.addressType) errors.invalid('addressType', slice.addressType, fieldImmutableError);
}

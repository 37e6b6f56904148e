import { type DeepReadonly, FieldErrors, isValidPortNum, nameIsDNSSubdomain, validateLegacyIP, warningsForIP } from '@skiff/apimachinery';
import type { EndpointAddress, Endpoints, EndpointPort } from '../../generated/types/core-v1.ts';
import { semanticEqual } from '../../semantic-equality.ts';
import { dnsLabel, invalidEach, qualifiedName, requireOneOf } from '../../validation.ts';
import { validateEndpointIP } from './endpoint-ip.ts';

function validateAddress(address: DeepReadonly<EndpointAddress>, path: string, errors: FieldErrors): void {
  validateLegacyIP(address.ip, `${path}.ip`, errors);
  if (address.hostname) dnsLabel(errors, `${path}.hostname`, address.hostname);
  const { nodeName } = address;
  if (nodeName !== undefined) invalidEach(errors, `${path}.nodeName`, nodeName, nameIsDNSSubdomain(nodeName, false));
  validateEndpointIP(address.ip, `${path}.ip`, errors);
}

function validatePort(port: DeepReadonly<EndpointPort>, path: string, nameRequired: boolean, errors: FieldErrors): void {
  if (port.name) dnsLabel(errors, `${path}.name`, port.name);
  else if (nameRequired) errors.required(`${path}.name`);
  invalidEach(errors, `${path}.port`, port.port, isValidPortNum(port.port));
  requireOneOf(errors, `${path}.protocol`, port.protocol, ['SCTP', 'TCP', 'UDP']);
  if (port.appProtocol !== undefined) qualifiedName(errors, `${path}.appProtocol`, port.appProtocol);
}

function validateSubsets(endpoints: DeepReadonly<Endpoints>, errors: FieldErrors): void {
  for (const [i, subset] of (endpoints.subsets ?? []).entries()) {
    const { addresses = [], notReadyAddresses = [], ports = [] } = subset;
    const at = `subsets[${i}]`;
    if (addresses.length + notReadyAddresses.length === 0) errors.required(at, 'must specify `addresses` or `notReadyAddresses`');
    for (const [j, address] of addresses.entries()) validateAddress(address, `${at}.addresses[${j}]`, errors);
    for (const [j, address] of notReadyAddresses.entries()) validateAddress(address, `${at}.notReadyAddresses[${j}]`, errors);
    for (const [j, port] of ports.entries()) validatePort(port, `${at}.ports[${j}]`, ports.length > 1, errors);
  }
}

/** Subsets that an update leaves as they are stay acceptable. */
export function validateEndpoints(endpoints: DeepReadonly<Endpoints>, errors: FieldErrors, old?: DeepReadonly<Endpoints>): void {
  const found = new FieldErrors();
  validateSubsets(endpoints, found);
  if (found.empty || (old && semanticEqual('io.k8s.api.core.v1.Endpoints', { subsets: endpoints.subsets }, { subsets: old.subsets })))
    return;
  errors.list.push(...found.list);
}

/** What the controller writes it has put in canonical form. */
export function endpointsWarnings(endpoints: DeepReadonly<Endpoints>): string[] {
  if (endpoints.metadata?.labels?.['endpoints.kubernetes.io/managed-by'] === 'endpoint-controller') return [];
  return (endpoints.subsets ?? []).flatMap((subset, i) =>
    (['addresses', 'notReadyAddresses'] as const).flatMap((field) =>
      (subset[field] ?? []).flatMap((address, j) => warningsForIP(address.ip, `subsets[${i}].${field}[${j}].ip`)),
    ),
  );
}

import { type DeepReadonly, nameIsDNSSubdomain, type ResourceStrategy, warningsForIP } from '@skiff/apimachinery';
import type { EndpointSlice } from '../../generated/types/discovery-v1.ts';
import { sameStringMap, semanticEqual } from '../../semantic-equality.ts';
import { bumpGeneration, setGeneration } from '../../spec-and-status.ts';
import { validateEndpointSlice } from './validate-endpoint-slice.ts';

export function defaultEndpointSlice(slice: EndpointSlice): void {
  for (const port of slice.ports ?? []) {
    port.name ??= '';
    port.protocol ??= 'TCP';
  }
}

/** The slice has no spec: everything but metadata counts, and labels too. */
export const endpointSliceStrategy: ResourceStrategy<EndpointSlice> = {
  validateName: nameIsDNSSubdomain,
  prepareForCreate(draft) {
    setGeneration(draft, 1);
    dropDeprecatedTopology(draft);
  },
  prepareForUpdate(draft, old) {
    const content = semanticEqual('io.k8s.api.discovery.v1.EndpointSlice', { ...draft, metadata: {} }, { ...old, metadata: {} });
    if (!content || !sameStringMap(draft.metadata?.labels, old.metadata?.labels)) bumpGeneration(draft, old);
    dropDeprecatedTopology(draft);
  },
  validate: (slice, errors) => validateEndpointSlice(slice, errors),
  validateUpdate: (slice, old, errors) => validateEndpointSlice(slice, errors, old),
  warnings(slice, old) {
    const type = old === undefined && slice.addressType === 'FQDN' ? ['spec.addressType: FQDN endpoints are deprecated'] : [];
    return [...type, ...addressWarnings(slice)];
  },
};

/** v1 documents that writes to the topology of v1beta1 are ignored. */
function dropDeprecatedTopology(slice: EndpointSlice): void {
  for (const endpoint of slice.endpoints ?? []) delete endpoint.deprecatedTopology;
}

const trustedWriters = new Set(['endpointslice-controller.k8s.io', 'endpointslicemirroring-controller.k8s.io']);

function addressWarnings(slice: DeepReadonly<EndpointSlice>): string[] {
  if (slice.addressType === 'FQDN' || trustedWriters.has(slice.metadata?.labels?.['endpointslice.kubernetes.io/managed-by'] ?? ''))
    return [];
  return (slice.endpoints ?? []).flatMap((endpoint, i) =>
    endpoint.addresses.flatMap((address, j) => warningsForIP(address, `endpoints[${i}].addresses[${j}]`)),
  );
}

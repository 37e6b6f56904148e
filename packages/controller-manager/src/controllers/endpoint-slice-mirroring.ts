import { isIP } from 'node:net';
import { endpoints, endpointSlice, service as services, type Endpoint, type EndpointAddress, type Endpoints } from '@skiff/api';
import { keyOf, type DeepReadonly } from '@skiff/apimachinery';
import { defineController, mapped, primary } from '@skiff/client';
import type { ControllerDescriptor } from '../descriptor.ts';
import { applySlicePlan } from '../endpoint-slice/apply-slices.ts';
import { planSlices, portsKey, type EndpointGroup, type SliceView } from '../endpoint-slice/plan-slices.ts';
import type { AddressType } from '../endpoint-slice/pod-endpoint.ts';
import { controllerReference } from '../owner-references.ts';
import { managedByLabel, serviceNameLabel } from './endpoint-slice.ts';

const managedBy = 'endpointslicemirroring-controller.k8s.io';
const skipLabel = 'endpointslice.kubernetes.io/skip-mirror';
const headlessLabel = 'service.kubernetes.io/headless';
const maxEndpoints = 100;
const maxAddressesOfSubset = 1000;
/** Annotations that mean something on the Endpoints alone. */
const keptBack: ReadonlySet<string> = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  'endpoints.kubernetes.io/last-change-trigger-time',
]);

type EndpointsView = DeepReadonly<Endpoints>;
const isOurs = (slice: SliceView): boolean => slice.metadata?.labels?.[managedByLabel] === managedBy;
const shouldMirror = (e: EndpointsView): boolean =>
  e.metadata?.deletionTimestamp === undefined &&
  e.metadata?.labels?.[skipLabel] !== 'true' &&
  e.metadata?.annotations?.['control-plane.alpha.kubernetes.io/leader'] === undefined;

function mirrored(address: DeepReadonly<EndpointAddress>, ready: boolean): Endpoint {
  return {
    addresses: [address.ip],
    conditions: { ready },
    ...(address.hostname ? { hostname: address.hostname } : {}),
    ...(address.nodeName ? { nodeName: address.nodeName } : {}),
    ...(address.targetRef === undefined ? {} : { targetRef: structuredClone(address.targetRef) as NonNullable<Endpoint['targetRef']> }),
  };
}

function groupsOf(source: EndpointsView, type: AddressType): readonly EndpointGroup[] {
  const groups = new Map<string, { ports: EndpointGroup['ports']; endpoints: Map<string, Endpoint> }>();
  for (const subset of source.subsets ?? []) {
    const ports = (subset.ports ?? []).map((p) => ({ ...p, name: p.name ?? '', protocol: p.protocol ?? 'TCP' }));
    const group = groups.get(portsKey(ports)) ?? { ports, endpoints: new Map<string, Endpoint>() };
    const family = type === 'IPv6' ? 6 : 4;
    const take = (addresses: readonly DeepReadonly<EndpointAddress>[] | null | undefined, ready: boolean): void => {
      for (const address of (addresses ?? []).slice(0, maxAddressesOfSubset)) {
        if (isIP(address.ip) === family) group.endpoints.set(address.ip, mirrored(address, ready));
      }
    };
    take(subset.addresses, true);
    take(subset.notReadyAddresses, false);
    groups.set(portsKey(ports), group);
  }
  return [...groups.values()].map((g) => ({ ports: g.ports, endpoints: [...g.endpoints.values()] })).filter((g) => g.endpoints.length > 0);
}

/** Copies Endpoints that somebody keeps by hand, for a Service without a selector, into EndpointSlices. */
export const endpointSliceMirroringController: ControllerDescriptor = {
  name: 'endpointslice-mirroring-controller',
  eventComponent: 'endpoint-slice-mirroring-controller',
  define: () =>
    defineController({
      name: 'endpointslice-mirroring-controller',
      concurrency: 5,
      sources: [
        primary(endpoints),
        mapped(services, (s) => [keyOf(s)], { changed: (a, b) => JSON.stringify(a.spec?.selector) !== JSON.stringify(b.spec?.selector) }),
        mapped(endpointSlice, (slice) => {
          const name = slice.metadata?.labels?.[serviceNameLabel];
          return name === undefined || !isOurs(slice) ? [] : [`${slice.metadata?.namespace ?? ''}/${name}`];
        }),
      ],
      create: ({ informers }) => {
        const sourceInformer = informers.informer(endpoints);
        const serviceInformer = informers.informer(services);
        const slices = informers.informer(endpointSlice);
        slices.addIndex(serviceNameLabel, (slice) => {
          const name = slice.metadata?.labels?.[serviceNameLabel];
          return name === undefined ? [] : [`${slice.metadata?.namespace ?? ''}/${name}`];
        });
        return async (key, run) => {
          const existing = slices
            .byIndex(serviceNameLabel, `${key.namespace ?? ''}/${key.name}`)
            .filter((s) => isOurs(s) && s.metadata?.deletionTimestamp === undefined);
          const source = sourceInformer.get(key);
          const service = serviceInformer.get(key);
          if (source === undefined || service === undefined || service.spec?.selector !== undefined || !shouldMirror(source))
            return await applySlicePlan({ create: [], update: [], remove: existing }, run);
          const { [headlessLabel]: _headless, ...labels } = { ...source.metadata?.labels };
          const metadata = {
            namespace: key.namespace ?? '',
            generateName: `${key.name}-`,
            labels: { ...labels, [serviceNameLabel]: key.name, [managedByLabel]: managedBy },
            annotations: Object.fromEntries(Object.entries(source.metadata?.annotations ?? {}).filter(([name]) => !keptBack.has(name))),
            ownerReferences: [controllerReference(source, endpoints)],
          };
          for (const type of ['IPv4', 'IPv6'] as const) {
            const mine = existing.filter((s) => s.addressType === type);
            await applySlicePlan(
              planSlices({ addressType: type, groups: groupsOf(source, type), existing: mine, metadata, maxEndpoints, placeholder: false }),
              run,
            );
          }
        };
      },
    }),
};

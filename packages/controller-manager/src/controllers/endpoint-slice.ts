import { endpointSlice, node as nodes, pod as pods, service as services, type Endpoint } from '@skiff/api';
import { formatKey, keyOf } from '@skiff/apimachinery';
import { defineController, mapped, primary } from '@skiff/client';
import type { ControllerDescriptor } from '../descriptor.ts';
import { applySlicePlan } from '../endpoint-slice/apply-slices.ts';
import { planSlices, portsKey, type EndpointGroup, type SliceView } from '../endpoint-slice/plan-slices.ts';
import {
  addressTypes,
  endpointPorts,
  isEndpoint,
  isHeadless,
  podEndpoint,
  type AddressType,
  type PodView,
  type ServiceView,
} from '../endpoint-slice/pod-endpoint.ts';
import { nodesToServices, podsToServices, zonesToServices } from '../endpoint-slice/service-sources.ts';
import { allocateZones, wantsTopologyHints, zoneShares } from '../endpoint-slice/topology-hints.ts';
import { mapMatcher } from '../label-selector.ts';
import { controllerReference, isControlledBy } from '../owner-references.ts';

export const serviceNameLabel = 'kubernetes.io/service-name';
export const managedByLabel = 'endpointslice.kubernetes.io/managed-by';
export const headlessLabel = 'service.kubernetes.io/headless';
const managedBy = 'endpointslice-controller.k8s.io';
const maxEndpoints = 100;
const reserved: ReadonlySet<string> = new Set([serviceNameLabel, managedByLabel, headlessLabel]);

const isOurs = (slice: SliceView): boolean => slice.metadata?.labels?.[managedByLabel] === managedBy;

function sliceLabels(service: ServiceView): Record<string, string> {
  const labels = Object.fromEntries(Object.entries(service.metadata?.labels ?? {}).filter(([key]) => !reserved.has(key)));
  return {
    ...labels,
    ...(isHeadless(service) ? { [headlessLabel]: '' } : {}),
    [serviceNameLabel]: service.metadata?.name ?? '',
    [managedByLabel]: managedBy,
  };
}

/** Keeps the EndpointSlices of Services with a selector: at most 100 endpoints each, one address type and one set of ports. */
export const endpointSliceController: ControllerDescriptor = {
  name: 'endpointslice-controller',
  eventComponent: 'endpoint-slice-controller',
  define: () =>
    defineController({
      name: 'endpointslice-controller',
      concurrency: 5,
      sources: [
        primary(services),
        podsToServices,
        nodesToServices,
        zonesToServices,
        mapped(endpointSlice, (slice) => {
          const name = slice.metadata?.labels?.[serviceNameLabel];
          return name === undefined || !isOurs(slice) ? [] : [`${slice.metadata?.namespace ?? ''}/${name}`];
        }),
      ],
      create: ({ informers, events }) => {
        const serviceInformer = informers.informer(services);
        const podInformer = informers.informer(pods);
        const nodeInformer = informers.informer(nodes);
        const slices = informers.informer(endpointSlice);
        slices.addIndex(serviceNameLabel, (slice) => {
          const name = slice.metadata?.labels?.[serviceNameLabel];
          return name === undefined ? [] : [`${slice.metadata?.namespace ?? ''}/${name}`];
        });

        /** Services whose hints follow from the annotation, with what was last said about them. */
        const hinted = new Map<string, string>();
        /** Adds hints to endpoints that are ready, or says why there are none; each only when it changes. */
        const addHints = (service: ServiceView, type: AddressType, groups: readonly EndpointGroup[]): readonly EndpointGroup[] => {
          const id = `${keyOf(service)} ${type}`;
          const tell = (state: string, kind: 'Normal' | 'Warning', reason: string, message: string): void => {
            if (hinted.get(id) !== state) events.event(service, kind, reason, `${message}, addressType: ${type}`);
            hinted.set(id, state);
          };
          if (!wantsTopologyHints(service)) {
            if (hinted.get(id) === 'enabled') tell('', 'Warning', 'TopologyAwareHintsDisabled', 'Topology Aware Hints has been disabled');
            hinted.delete(id);
            return groups;
          }
          const result = allocateZones(
            groups.flatMap((g) => g.endpoints),
            zoneShares(nodeInformer.list()),
          );
          if ('disabled' in result) {
            tell(result.disabled, 'Warning', 'TopologyAwareHintsDisabled', result.disabled);
            return groups;
          }
          tell('enabled', 'Normal', 'TopologyAwareHintsEnabled', 'Topology Aware Hints has been enabled');
          return groups.map((g) => ({
            ports: g.ports,
            endpoints: g.endpoints.map((e) => {
              const zone = result.zones.get(e);
              return zone === undefined ? e : { ...e, hints: { forZones: [{ name: zone }] } };
            }),
          }));
        };

        const groupsOf = (service: ServiceView, selected: readonly PodView[], type: AddressType): readonly EndpointGroup[] => {
          const groups = new Map<string, { ports: EndpointGroup['ports']; endpoints: Endpoint[] }>();
          for (const pod of selected) {
            const node = nodeInformer.get({ name: pod.spec?.nodeName ?? '' });
            // A pod of a node that is gone is about to go itself; the node's coming back wakes the Service.
            if (node === undefined && service.spec?.publishNotReadyAddresses !== true) continue;
            const endpoint = podEndpoint(pod, { service, node, type });
            const ports = endpointPorts(service, pod);
            const group = groups.get(portsKey(ports)) ?? { ports, endpoints: [] };
            if (endpoint.addresses.length > 0) group.endpoints.push(endpoint);
            groups.set(portsKey(ports), group);
          }
          return [...groups.values()].filter((g) => g.endpoints.length > 0);
        };

        return async (key, run) => {
          const service = serviceInformer.get(key);
          if (service === undefined) for (const type of ['IPv4', 'IPv6']) hinted.delete(`${formatKey(key)} ${type}`);
          // Slices of a deleted Service are garbage; those of others aren't this controller's.
          if (service === undefined || service.spec?.type === 'ExternalName' || service.spec?.selector === undefined) return;
          if (service.metadata?.deletionTimestamp !== undefined) return;
          const matches = mapMatcher(service.spec.selector);
          const selected = podInformer.list(key.namespace).filter((pod) => matches(pod.metadata?.labels) && isEndpoint(pod, true));
          const existing = slices
            .byIndex(serviceNameLabel, `${key.namespace ?? ''}/${key.name}`)
            .filter((s) => isOurs(s) && s.metadata?.deletionTimestamp === undefined);
          const types = addressTypes(service);
          const metadata = {
            namespace: key.namespace ?? '',
            generateName: `${key.name}-`,
            labels: sliceLabels(service),
            ownerReferences: [controllerReference(service, services)],
          };
          try {
            for (const type of types) {
              const mine = existing.filter((s) => s.addressType === type && isControlledBy(s, service));
              await applySlicePlan(
                planSlices({
                  addressType: type,
                  groups: addHints(service, type, groupsOf(service, selected, type)),
                  existing: mine,
                  metadata,
                  maxEndpoints,
                  placeholder: true,
                }),
                run,
              );
            }
            const stale = existing.filter((s) => !types.some((type) => type === s.addressType) || !isControlledBy(s, service));
            await applySlicePlan({ create: [], update: [], remove: stale }, run);
          } catch (error) {
            const message = error instanceof Error ? error.message : String(error);
            if (!run.signal.aborted)
              events.event(
                service,
                'Warning',
                'FailedToUpdateEndpointSlices',
                `Error updating Endpoint Slices for Service ${key.namespace ?? ''}/${key.name}: ${message}`,
              );
            throw error;
          }
        };
      },
    }),
};

import { endpoints, pod as pods, service as services, type EndpointAddress, type Endpoints } from '@skiff/api';
import { hasReason, keyOf } from '@skiff/apimachinery';
import { defineController, mapped, primary } from '@skiff/client';
import type { ControllerDescriptor } from '../descriptor.ts';
import {
  addressesOf,
  addressTypes,
  findPort,
  hasHostname,
  isEndpoint,
  isHeadless,
  type PodView,
  type ServiceView,
} from '../endpoint-slice/pod-endpoint.ts';
import { podsToServices } from '../endpoint-slice/service-sources.ts';
import { computeSubsets, truncateSubsets, type EndpointEntry } from '../endpoint-slice/subsets.ts';
import { mapMatcher } from '../label-selector.ts';
import { isReady } from '../pods/pod-state.ts';
import { isNamespaceTerminating } from '../pods/pod-control.ts';
import { semanticEqual } from '../semantic-equality.ts';

const headlessLabel = 'service.kubernetes.io/headless';
const managedByLabel = 'endpoints.kubernetes.io/managed-by';
const managedBy = 'endpoint-controller';
const overCapacity = 'endpoints.kubernetes.io/over-capacity';
const maxAddresses = 1000;

function entriesOf(service: ServiceView, pod: PodView): readonly EndpointEntry[] {
  const [ip] = addressesOf(pod, addressTypes(service)[0] ?? 'IPv4');
  if (ip === undefined) return [];
  const address: EndpointAddress = {
    ip,
    ...(hasHostname(pod, service) ? { hostname: pod.spec?.hostname ?? '' } : {}),
    ...(pod.spec?.nodeName ? { nodeName: pod.spec.nodeName } : {}),
    targetRef: { kind: 'Pod', namespace: pod.metadata?.namespace ?? '', name: pod.metadata?.name ?? '', uid: pod.metadata?.uid ?? '' },
  };
  const ready = service.spec?.publishNotReadyAddresses === true || isReady(pod);
  const ports = service.spec?.ports ?? [];
  if (ports.length === 0) return isHeadless(service) ? [{ address, port: undefined, ready }] : [];
  return ports.flatMap((p) => {
    const port = findPort(pod, p);
    if (port === undefined) return [];
    return [
      {
        address,
        ready,
        port: {
          ...(p.name ? { name: p.name } : {}),
          port,
          protocol: p.protocol ?? 'TCP',
          ...(p.appProtocol === undefined ? {} : { appProtocol: p.appProtocol }),
        },
      },
    ];
  });
}

/** Keeps the Endpoints of Services with a selector, for clients that don't read EndpointSlices. */
export const endpointsController: ControllerDescriptor = {
  name: 'endpoints-controller',
  eventComponent: 'endpoint-controller',
  define: () =>
    defineController({
      name: 'endpoints-controller',
      concurrency: 5,
      sources: [
        primary(services),
        podsToServices,
        // Its own that somebody deleted, or that lost their Service while nobody looked.
        mapped(endpoints, (e) => (e.metadata?.labels?.[managedByLabel] === managedBy ? [keyOf(e)] : []), { changed: () => false }),
      ],
      create: ({ informers, events }) => {
        const serviceInformer = informers.informer(services);
        const podInformer = informers.informer(pods);
        const endpointsInformer = informers.informer(endpoints);
        return async (key, { client, signal }) => {
          const service = serviceInformer.get(key);
          const current = endpointsInformer.get(key);
          if (service === undefined) {
            try {
              if (current !== undefined)
                await client.delete(endpoints, key, { preconditions: { uid: current.metadata?.uid ?? '' }, signal });
            } catch (error) {
              if (!hasReason(error, 'NotFound') && !hasReason(error, 'Conflict')) throw error;
            }
            return;
          }
          if (
            service.spec?.type === 'ExternalName' ||
            service.spec?.selector === undefined ||
            service.metadata?.deletionTimestamp !== undefined
          )
            return;
          const matches = mapMatcher(service.spec.selector);
          const selected = podInformer
            .list(key.namespace)
            .filter((pod) => matches(pod.metadata?.labels) && isEndpoint(pod, service.spec?.publishNotReadyAddresses === true));
          const { subsets, truncated } = truncateSubsets(computeSubsets(selected.flatMap((pod) => entriesOf(service, pod))), maxAddresses);
          const labels: Record<string, string> = { ...service.metadata?.labels };
          delete labels[headlessLabel];
          if (isHeadless(service)) labels[headlessLabel] = '';
          labels[managedByLabel] = managedBy;
          const { [overCapacity]: _over, ...annotations } = { ...current?.metadata?.annotations };
          if (truncated) annotations[overCapacity] = 'truncated';
          if (
            current !== undefined &&
            semanticEqual(current.subsets, subsets) &&
            semanticEqual(current.metadata?.labels, labels, 'labels') &&
            semanticEqual(current.metadata?.annotations, annotations, 'annotations')
          )
            return;
          const draft: Endpoints = {
            metadata: {
              ...structuredClone(current?.metadata as Endpoints['metadata']),
              namespace: key.namespace ?? '',
              name: key.name,
              labels,
              annotations,
            },
            subsets,
          };
          try {
            if (current === undefined) await client.create(endpoints, draft, { signal });
            else await client.update(endpoints, draft, { signal });
          } catch (error) {
            if (signal.aborted || isNamespaceTerminating(error)) return;
            const message = error instanceof Error ? error.message : String(error);
            const where = `${key.namespace ?? ''}/${key.name}`;
            const subject = { ...draft, apiVersion: 'v1', kind: 'Endpoints' };
            if (current === undefined)
              events.event(subject, 'Warning', 'FailedToCreateEndpoint', `Failed to create endpoint for service ${where}: ${message}`);
            else if (!hasReason(error, 'Conflict'))
              events.event(subject, 'Warning', 'FailedToUpdateEndpoint', `Failed to update endpoint ${where}: ${message}`);
            throw error;
          }
        };
      },
    }),
};

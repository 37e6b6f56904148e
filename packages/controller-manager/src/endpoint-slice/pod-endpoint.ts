import { isIPv6 } from 'node:net';
import type { Endpoint, DiscoveryV1EndpointPort, Node, Pod, Service, ServicePort } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import { isReady, isTerminal } from '../pods/pod-state.ts';
import { wantsTopologyHints } from './topology-hints.ts';

export type PodView = DeepReadonly<Pod>;
export type ServiceView = DeepReadonly<Service>;
export type AddressType = 'IPv4' | 'IPv6';

export const zoneLabel = 'topology.kubernetes.io/zone';

/** A pod that has ended or has no address yet is no endpoint. */
export function isEndpoint(pod: PodView, includeTerminating: boolean): boolean {
  if (isTerminal(pod) || podAddresses(pod).length === 0) return false;
  return includeTerminating || pod.metadata?.deletionTimestamp === undefined;
}

export const podAddresses = (pod: PodView): readonly string[] => {
  const all = (pod.status?.podIPs ?? []).map((p) => p.ip).filter((ip): ip is string => Boolean(ip));
  return all.length === 0 && pod.status?.podIP ? [pod.status.podIP] : all;
};
export const addressesOf = (pod: PodView, type: AddressType): readonly string[] =>
  podAddresses(pod).filter((ip) => isIPv6(ip) === (type === 'IPv6'));

/** The pod answers to a name of its own below the Service's. */
export const hasHostname = (pod: PodView, service: ServiceView): boolean =>
  Boolean(pod.spec?.hostname) && pod.spec?.subdomain === service.metadata?.name && pod.metadata?.namespace === service.metadata?.namespace;

/** The container port a Service port leads to; undefined when no container has one of that name and protocol. */
export function findPort(pod: PodView, port: DeepReadonly<ServicePort>): number | undefined {
  const target = port.targetPort;
  if (typeof target === 'number') return target;
  if (target === undefined) return port.port;
  const sidecars = (pod.spec?.initContainers ?? []).filter((c) => c.restartPolicy === 'Always');
  for (const container of [...(pod.spec?.containers ?? []), ...sidecars]) {
    const found = container.ports?.find((p) => p.name === target && (p.protocol ?? 'TCP') === (port.protocol ?? 'TCP'));
    if (found !== undefined) return found.containerPort;
  }
  return undefined;
}

/** Ports of the slices that a pod stands in. A headless Service may have none. */
export function endpointPorts(service: ServiceView, pod: PodView): DiscoveryV1EndpointPort[] {
  return (service.spec?.ports ?? []).flatMap((port) => {
    const number = findPort(pod, port);
    if (number === undefined) return [];
    return [
      {
        name: port.name ?? '',
        port: number,
        protocol: port.protocol ?? 'TCP',
        ...(port.appProtocol === undefined ? {} : { appProtocol: port.appProtocol }),
      },
    ];
  });
}

/** Never ready while terminating, unless the Service publishes whatever there is; serving says whether the pod still answers (KEP-1672). */
export function podEndpoint(pod: PodView, o: { service: ServiceView; node: DeepReadonly<Node> | undefined; type: AddressType }): Endpoint {
  const serving = isReady(pod);
  const terminating = pod.metadata?.deletionTimestamp !== undefined;
  const ready = o.service.spec?.publishNotReadyAddresses === true || (serving && !terminating);
  const zone = o.node?.metadata?.labels?.[zoneLabel];
  const nodeName = pod.spec?.nodeName;
  const hints = ready && !wantsTopologyHints(o.service) ? endpointHints(o.service, zone, nodeName) : undefined;
  return {
    addresses: [...addressesOf(pod, o.type)],
    conditions: { ready, serving, terminating },
    ...(hasHostname(pod, o.service) ? { hostname: pod.spec?.hostname ?? '' } : {}),
    targetRef: { kind: 'Pod', namespace: pod.metadata?.namespace ?? '', name: pod.metadata?.name ?? '', uid: pod.metadata?.uid ?? '' },
    ...(nodeName ? { nodeName } : {}),
    ...(zone ? { zone } : {}),
    ...(hints === undefined ? {} : { hints }),
  };
}

/** spec.trafficDistribution: the endpoint is meant for its own zone, and with PreferSameNode for its node before that (KEP-3015). */
function endpointHints(service: ServiceView, zone: string | undefined, nodeName: string | undefined): Endpoint['hints'] {
  const wish = service.spec?.trafficDistribution;
  if (wish !== 'PreferClose' && wish !== 'PreferSameZone' && wish !== 'PreferSameNode') return undefined;
  const forNodes = wish === 'PreferSameNode' && nodeName ? [{ name: nodeName }] : [];
  if (!zone && forNodes.length === 0) return undefined;
  return { ...(zone ? { forZones: [{ name: zone }] } : {}), ...(forNodes.length === 0 ? {} : { forNodes }) };
}

/** Address types of a Service's slices. */
export const addressTypes = (service: ServiceView): readonly AddressType[] => {
  const families = (service.spec?.ipFamilies ?? []).filter((f): f is AddressType => f === 'IPv4' || f === 'IPv6');
  if (families.length > 0) return families;
  const ip = service.spec?.clusterIP;
  if (ip && ip !== 'None') return [isIPv6(ip) ? 'IPv6' : 'IPv4'];
  return ['IPv4', 'IPv6'];
};

export const isHeadless = (service: ServiceView): boolean => !service.spec?.clusterIP || service.spec.clusterIP === 'None';

/** Whether a pod's change can change endpoints. */
export function podEndpointChanged(a: PodView, b: PodView): boolean {
  const facts = (p: PodView): string =>
    JSON.stringify([
      p.metadata?.labels,
      p.metadata?.deletionTimestamp,
      podAddresses(p),
      isReady(p),
      isTerminal(p),
      p.spec?.nodeName,
      p.spec?.hostname,
      p.spec?.subdomain,
    ]);
  return facts(a) !== facts(b);
}

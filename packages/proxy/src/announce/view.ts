import type { ClusterObjects } from '../cluster-objects.ts';
import type { PeerNode } from '../table/peers.ts';
import { announcedByAnnotation, type AnnouncedAddress, type AnnouncerView } from './announcer.ts';

/**
 * What the announcer decides on. A Service with `externalTrafficPolicy: Local` is announced where it has endpoints. When no node is
 * ready, all count as such: the control plane has been away, and somebody has to answer.
 */
export function announcerView(objects: ClusterObjects, peers: readonly PeerNode[]): AnnouncerView {
  const able = peers.filter((p) => p.servesLoadBalancers);
  const ready = able.filter((p) => p.ready);
  const serving = (ready.length > 0 ? ready : able).map((p) => p.name);
  return {
    addresses: objects.poolAddresses.map((a): AnnouncedAddress => {
      const parent = a.spec?.parentRef;
      const namespace = parent?.namespace ?? '';
      const name = parent?.name ?? '';
      const near =
        objects.service(namespace, name)?.spec?.externalTrafficPolicy === 'Local'
          ? nodesWithEndpoints(objects, namespace, name)
          : undefined;
      const eligible = near === undefined ? serving : serving.filter((n) => near.has(n));
      return {
        address: a.metadata?.name ?? '',
        holder: a.metadata?.annotations?.[announcedByAnnotation] ?? '',
        resourceVersion: a.metadata?.resourceVersion ?? '',
        eligible: eligible.length > 0 ? eligible : serving,
      };
    }),
    nodeAddresses: new Map(peers.map((p) => [p.name, p.addresses.find((a) => !a.includes(':')) ?? ''])),
  };
}

const nodesWithEndpoints = (objects: ClusterObjects, namespace: string, name: string): ReadonlySet<string> =>
  new Set(
    objects
      .slicesOf(namespace, name)
      .flatMap((s) => (s.endpoints ?? []).flatMap((e) => (e.nodeName !== undefined && e.conditions?.ready !== false ? [e.nodeName] : []))),
  );

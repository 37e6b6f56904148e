import { node as nodes, pod as pods, service as services } from '@skiff/api';
import { keyOf } from '@skiff/apimachinery';
import { mapped, type InformerFactory, type Source } from '@skiff/client';
import { mapMatcher } from '../label-selector.ts';
import { podEndpointChanged, zoneLabel, type PodView } from './pod-endpoint.ts';
import { wantsTopologyHints, zoneFacts } from './topology-hints.ts';

export const podNodeIndex = 'nodeName';

function servicesOf(pod: PodView, informers: InformerFactory): readonly string[] {
  return informers
    .informer(services)
    .list(pod.metadata?.namespace)
    .filter((service) => mapMatcher(service.spec?.selector)(pod.metadata?.labels))
    .map((service) => keyOf(service));
}

/** Pods wake the Services that select them, before and after a change. */
export const podsToServices: Source = mapped(pods, (pod, { informers }) => servicesOf(pod, informers), { changed: podEndpointChanged });

/** A node that comes, goes or changes its zone wakes the Services of its pods. */
export const nodesToServices: Source = mapped(
  nodes,
  (node, { informers }) => {
    const podInformer = informers.informer(pods);
    podInformer.addIndex(podNodeIndex, (pod) => (pod.spec?.nodeName ? [pod.spec.nodeName] : []));
    return new Set(podInformer.byIndex(podNodeIndex, node.metadata?.name ?? '').flatMap((pod) => servicesOf(pod, informers)));
  },
  { changed: (a, b) => a.metadata?.labels?.[zoneLabel] !== b.metadata?.labels?.[zoneLabel] },
);

/** The zones' shares of CPU wake the Services that are shared out by them. */
export const zonesToServices: Source = mapped(
  nodes,
  (_, { informers }) =>
    informers
      .informer(services)
      .list()
      .filter(wantsTopologyHints)
      .map((s) => keyOf(s)),
  { changed: (a, b) => zoneFacts(a) !== zoneFacts(b) },
);
